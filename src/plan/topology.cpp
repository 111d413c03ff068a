#include "plan/topology.hpp"
