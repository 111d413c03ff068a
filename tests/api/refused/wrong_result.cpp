// expect: string_view points into this process; use std::string
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().get_results<std::string_view>();
}
