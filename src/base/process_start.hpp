#pragma once

/// Resets what a program inherits from its parent process and must not depend on.
namespace pystream::base {

/// Gives the signals that the parent ignored their default effect, except those that are ignored on purpose: SIGHUP
/// (nohup), and SIGINT and SIGQUIT (a shell without job control ignores both in what it runs in the background).
void reset_ignored_signals() noexcept;
/// Gives every signal its default effect: for a process that was forked from a program with handlers of its own.
void reset_all_signals() noexcept;
void unblock_all_signals() noexcept;
bool is_ignored(int signal) noexcept;
/// The signal does nothing from now on. It is handled and not ignored: programs that this process starts get the
/// default.
void make_harmless(int signal) noexcept;

/// Opens /dev/null in place of each of the descriptors 0, 1 and 2 that is closed: else the first files that are opened
/// would stand there, and what is written to standard error would go into one of them. What takes their place refuses
/// the wrong use just as a closed one does. False if a place stays closed.
[[nodiscard]] bool fill_standard_descriptors() noexcept;

}  // namespace pystream::base
