#include "plan/plan_json.hpp"
