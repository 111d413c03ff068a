#include "number_lines.hpp"

PYSTREAM_STAGE("own.number_lines", NumberLines);
