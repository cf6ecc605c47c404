// What the stand-ins for other libraries use of this one beside the driver's own functions.
#pragma once

#include <stddef.h>
#include <stdint.h>

// As cuLaunchHostFunc, naming the device memory that the function touches, so that freeing it too
// early is noticed: `count` addresses and as many sizes in bytes.
extern "C" int double_launch(void *stream, void (*function)(void *), void *data,
                             const uint64_t *addresses, const size_t *bytes, size_t count);
