#include <pystream/worker_main.hpp>

#include "api/spawn/registered_stages.hpp"

int main(int argc, char** argv) {
  return pystream::worker_main(argc, argv);
}
