#include "control/control.h"

extern "C" __attribute__((visibility("default"))) int cuInit(unsigned) { return double_call(__func__); }
