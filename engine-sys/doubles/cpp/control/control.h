// What tests steer the stand-ins with: faults, an ordered log, counts of live objects, gates.
//
// A C interface, so that the stand-ins (C++) and the tests (Rust) use the same functions. Every
// function may be called from any thread.
#pragma once

#include <stddef.h>

#if defined(__cplusplus)
extern "C" {
#endif

// For the stand-ins ------------------------------------------------------------------------------

// A function of a stand-in was called. Returns 0, or the error code with which it has to fail.
int double_call(const char *name);

// Appends a line to the log, and to the file that ENGINE_DOUBLES_LOG names.
void double_event(const char *text);

// An object of this kind came to life (+1) or ended (-1).
void double_alive(const char *kind, int delta);

// The next number for an object of this kind, from 1 after every reset.
unsigned double_number(const char *kind);

// An asynchronous operation begins: counts as running, then waits here while its kind is held.
void double_begin(const char *operation);
void double_end(const char *operation);

// Prints the message and aborts: the program under test broke a rule that the real library does
// not check.
__attribute__((noreturn, format(printf, 1, 2))) void double_abort(const char *format, ...);

// For the tests ----------------------------------------------------------------------------------

// The nth call of `name` from now, counted from 1, fails with `code`. nth 0: every call from now
// on. The name "*" stands for all functions together. ENGINE_DOUBLES_FAIL="name=nth[:code],..."
// does the same when the library is loaded (code 1 where none is given).
void double_fail(const char *name, unsigned nth, int code);

// How often `name` was called since the last reset, all functions for "*".
unsigned long double_calls(const char *name);

// The log, a line each. Returns its length without the final NUL; at most room - 1 characters are
// copied.
size_t double_events(char *buffer, size_t room);

// Live objects of a kind, of all kinds for NULL.
long double_count(const char *kind);

// The kinds of which objects live, as lines "kind count". Like double_events.
size_t double_census(char *buffer, size_t room);

// Operations of this kind wait when they begin, until released.
void double_hold(const char *operation);
void double_release(const char *operation);

// Waits until n operations of this kind have begun and not ended. Aborts after 60 s.
void double_wait_running(const char *operation, int n);

// Forgets faults, log, counts and numbers; releases all gates.
void double_reset(void);

#if defined(__cplusplus)
}
#endif
