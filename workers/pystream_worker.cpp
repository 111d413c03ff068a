#include <pystream/worker_main.hpp>

int main(int argc, char** argv) {
  return pystream::worker_main(argc, argv);
}
