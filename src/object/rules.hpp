// SPDX-License-Identifier: Apache-2.0
// The rules of the lifetime protocol by name. The product keeps them all, at compile time. A test-only build of the library
// breaks the one that $COMAP_BREAK names and dawdles between the steps, to show that the tests notice.
#pragma once

#include <cstdint>

#ifdef COMAP_BREAKABLE_RULES
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#endif

namespace comap::internal {

enum class Rule : std::uint8_t {
    lock_before_link,                 // a new object is held before it has its name
    ask_before_read_lock,             // two openers of a dead object must not take each other for holders
    check_links_after_read_lock,      // it may have been removed between the question and the lock
    check_name_after_write_lock,      // the name may lead to a newer object by now
    reread_keep_under_write_lock,     // it may have been made to stay meanwhile
    remove_under_write_lock,          // nobody removes a held object, rm included
    leave_by_fresh_descriptor,        // a forked child may share the old one
    never_unlock_read_lock,           // it may be a forked child's too: just close
    unlock_write_lock_explicitly,     // a descriptor that went elsewhere must not keep it
    no_fork_with_write_lock,          // a child that inherits it would keep it
    ask_again_before_not_found,       // for those who may not remove: it may have come to life or been kept meanwhile
};

#ifndef COMAP_BREAKABLE_RULES

constexpr bool keeps(Rule) { return true; }
inline void between_steps() {}

#else

inline bool keeps(Rule rule) {
    static const char* const kNames[] = {"lock_before_link", "ask_before_read_lock", "check_links_after_read_lock",
        "check_name_after_write_lock", "reread_keep_under_write_lock", "remove_under_write_lock", "leave_by_fresh_descriptor",
        "never_unlock_read_lock", "unlock_write_lock_explicitly", "no_fork_with_write_lock", "ask_again_before_not_found"};
    static const char* const broken = std::getenv("COMAP_BREAK");
    return !broken || std::strcmp(broken, kNames[static_cast<std::size_t>(rule)]) != 0;
}

// Now and then lets others run, so that rare interleavings become frequent ones.
inline void between_steps() {
    static thread_local std::minstd_rand random(static_cast<unsigned>(std::clock()) ^ static_cast<unsigned>(std::random_device{}()));
    const auto draw = random() % 64;
    if (draw >= 4) return;
    const struct timespec nap = {0, static_cast<long>(draw * 20'000)};
    nanosleep(&nap, nullptr);
}

#endif

}  // namespace comap::internal
