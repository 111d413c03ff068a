// expect: vector<bool> has no bytes; use std::vector<char>
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().forward(std::vector<bool>{true});
}
