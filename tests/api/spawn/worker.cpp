#include <pystream/worker_main.hpp>

#include "registered_stages.hpp"

int main(int argc, char** argv) {
  return pystream::worker_main(argc, argv);
}
