// SPDX-License-Identifier: Apache-2.0
#include "object/lifetime.hpp"

#include <array>
#include <cerrno>
#include <chrono>

#include <comap/deadline.hpp>

#include "base/error.hpp"
#include "object/header.hpp"
#include "object/rules.hpp"

namespace comap::internal {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::uint64_t kSweepPeriodNs = 1'000'000'000u;
constexpr std::uint64_t kSweepCount = 128;

// Counts the attempts of one call; too many when kPatience is over.
class Attempts {
  public:
    // Lets others run; false when patience is over.
    bool again() {
        if (count_ == 0) deadline_ = Deadline::after(kPatience);
        if (count_ > 0 && deadline_.is_over()) return false;
        os::pause_briefly(count_++);
        return true;
    }

  private:
    std::uint32_t count_ = 0;
    Deadline deadline_ = Deadline::passed();
};

tl::unexpected<Error> busy(const Name& name) {
    return fail(Code::busy, 0, name.full(), "the object '", shown(name.full()),
                "' is being removed by a process that does not finish (is it stopped?); try again, or end that process");
}

tl::unexpected<Error> not_found(const Directory& directory, const Name& name) {
    return fail(Code::not_found, ENOENT, name.full(), "there is no object '", shown(name.full()), "' in ", directory.path);
}

tl::unexpected<Error> refused(int os_error, const Name& name, std::string_view doing) {
    return fail(code_of(os_error), os_error, name.full(), "the object '", shown(name.full()), "' cannot be ", doing, ": ",
                os_text(os_error));
}

tl::unexpected<Error> not_an_object(const Directory& directory, const Name& name, std::string_view what) {
    return fail(Code::corrupt, 0, name.full(), "the name '", shown(name.full()), "' leads to ", what, " in ", directory.path,
                ", not to a comap object; remove it by hand");
}

bool begins_like_an_object(int descriptor) {
    std::array<std::byte, 8> bytes;
    const auto count = os::read_at(descriptor, bytes.data(), bytes.size(), 0);
    return count && has_magic(std::span(bytes).first(*count));
}

enum class Reaped : std::uint8_t {
    removed,
    led_elsewhere,  // the name is free or another object's
    kept,
    contended,      // somebody has a lock now
    not_ours,       // we may not remove files in that directory
};

// The part of reap() inside the write lock.
Reaped unlink_if_dead(const Directory& directory, const std::string& file_name, int descriptor, bool even_if_kept) {
    between_steps();
    const auto named = os::state_at(directory.fd.number(), file_name);
    const auto mine = os::state(descriptor);
    if (!mine) return Reaped::contended;
    if (keeps(Rule::check_name_after_write_lock) && (!named || !named->is_same_file(*mine))) return Reaped::led_elsewhere;
    if (keeps(Rule::reread_keep_under_write_lock) && mine->is_sticky() && !even_if_kept) return Reaped::kept;
    between_steps();
    const auto unlinked = os::unlink_at(directory.fd.number(), file_name);
    if (unlinked) return Reaped::removed;
    return unlinked.error() == ENOENT ? Reaped::led_elsewhere : Reaped::not_ours;
}

// While one lives, this process does not fork. It begins before the file is opened whose write lock is wanted, and ends when
// that is closed: a child that shares the open file, forked before the lock was taken too, would keep the lock if this
// process were killed while it has it.
struct NoFork {
    NoFork() { if (keeps(Rule::no_fork_with_write_lock)) ::new (&scope) os::NoForkScope; }
    ~NoFork() { if (keeps(Rule::no_fork_with_write_lock)) scope.~NoForkScope(); }
    NoFork(const NoFork&) = delete;
    NoFork& operator=(const NoFork&) = delete;
    union { os::NoForkScope scope; };
};

// Removes the object if nobody holds it. `descriptor` is writable, has no lock, was opened inside a NoFork, and its file was
// found to be free.
Reaped reap(const Directory& directory, const std::string& file_name, int descriptor, bool even_if_kept) {
    if (!keeps(Rule::reread_keep_under_write_lock)) {  // broken: it is only read before
        const auto state = os::state(descriptor);
        if (state && state->is_sticky() && !even_if_kept) return Reaped::kept;
        between_steps();
    }
    const bool locks = !even_if_kept || keeps(Rule::remove_under_write_lock);
    if (locks) {
        const auto locked = os::try_write_lock(descriptor);
        if (!locked || !*locked) return Reaped::contended;
    }
    const Reaped end = unlink_if_dead(directory, file_name, descriptor, even_if_kept);
    between_steps();
    if (locks && keeps(Rule::unlock_write_lock_explicitly)) os::release_lock(descriptor);
    return end;
}

// The same for a file that may have been open when this process forked: through an open file of its own.
Reaped reap_afresh(const Directory& directory, const std::string& file_name, int descriptor, bool even_if_kept) {
    const NoFork no_fork;
    const auto afresh = os::open_at(directory.fd.number(), file_name, true);
    if (!afresh && afresh.error() == ENOENT) return Reaped::led_elsewhere;
    if (!afresh) return code_of(afresh.error()) == Code::permission_denied ? Reaped::not_ours : Reaped::contended;
    const auto meant = os::state(descriptor);
    const auto found = os::state(afresh->number());
    if (!meant || !found || !found->is_same_file(*meant)) return Reaped::led_elsewhere;
    return reap(directory, file_name, afresh->number(), even_if_kept);
}

enum class Found : std::uint8_t { held, nothing, start_again };

// For those who may not remove it: a dead object, unless it came to life or was made to stay since we first asked. Not kept
// from the first look at the file to the last (nothing of its state changed), and free at one moment in between: dead then.
Result<Found> confirm_dead(int descriptor) {
    if (!keeps(Rule::ask_again_before_not_found)) return Found::nothing;
    const auto before = os::state_change_ns(descriptor);
    const auto state = os::state(descriptor);
    between_steps();
    const auto lock = os::ask_lock(descriptor);
    between_steps();
    const auto last = os::state(descriptor);  // where time stamps are coarse, this is better than nothing
    const auto after = os::state_change_ns(descriptor);
    const bool unchanged = before && after && *before == *after;
    const bool never_kept = state && !state->is_sticky() && last && !last->is_sticky();
    const bool was_dead = unchanged && never_kept && lock && *lock == os::Locked::no;
    return was_dead ? Found::nothing : Found::start_again;
}

// A file with no holder: one that is kept may be held now, a dead one is removed.
Result<Found> take_unheld(const Directory& directory, const Name& name, const Held& held) {
    const int descriptor = held.fd.number();
    const auto state = os::state(descriptor);
    if (!state) return refused(state.error(), name, "examined");
    if (!state->is_regular) return not_an_object(directory, name, "something that is no regular file");
    if (state->is_sticky()) return Found::held;
    if (!begins_like_an_object(descriptor))
        return fail(Code::corrupt, 0, name.full(), "the file under the name '", shown(name.full()), "' in ", directory.path,
                    " is not a comap object; `comap rm` removes it");
    if (!held.writable) return confirm_dead(descriptor);
    switch (reap_afresh(directory, name.file_name, descriptor, false)) {
        case Reaped::not_ours:
            return confirm_dead(descriptor);
        case Reaped::removed:
        case Reaped::led_elsewhere:
        case Reaped::kept:
        case Reaped::contended:
            return Found::start_again;
    }
    return Found::start_again;
}

// Opens the file under a name, for writing too where its mode lets us.
Result<Held> open_file(const Directory& directory, const Name& name, bool must_write) {
    const int directory_fd = directory.fd.number();
    Held held;
    auto fd = os::open_at(directory_fd, name.file_name, true);
    held.writable = fd.has_value();
    const bool may_not_write = !fd && (fd.error() == EACCES || fd.error() == EPERM || fd.error() == EROFS);
    if (may_not_write && must_write)
        return fail(Code::permission_denied, fd.error(), name.full(), "the object '", shown(name.full()),
                    "' may not be written by you; open it for reading only, or ask its owner for the mode");
    if (may_not_write) fd = os::open_at(directory_fd, name.file_name, false);
    if (fd) {
        held.fd = std::move(*fd);
        return held;
    }
    switch (fd.error()) {
        case ENOENT:
            return not_found(directory, name);
        case ELOOP:
            return not_an_object(directory, name, "a symbolic link");
        case EISDIR:
            return not_an_object(directory, name, "a directory");
        case ENXIO:
            return not_an_object(directory, name, "a socket or device");
        default:
            return refused(fd.error(), name, "opened");
    }
}

// Takes the read lock of a file that is alive or kept.
Result<Found> hold(const Name& name, Held& held) {
    between_steps();
    const auto locked = os::try_read_lock(held.fd.number());
    if (!locked) return refused(locked.error(), name, "held");
    if (!*locked) return Found::start_again;
    between_steps();
    const auto state = os::state(held.fd.number());
    if (!state) return refused(state.error(), name, "examined");
    if (state->link_count == 0 && keeps(Rule::check_links_after_read_lock)) return Found::start_again;
    held.state = *state;
    return Found::held;
}

// Rule::ask_before_read_lock, broken: takes the read lock first and then asks whether somebody else has one too.
Result<Found> lock_then_ask(const Name& name, Held& held) {
    COMAP_GET(const Found found, hold(name, held));
    if (found != Found::held) return found;
    between_steps();
    const auto lock = os::ask_lock(held.fd.number());
    if (lock && *lock != os::Locked::no) return Found::held;
    os::release_lock(held.fd.number());
    return Found::nothing;
}

// One attempt to open.
Result<Found> try_open(const Directory& directory, const Name& name, bool must_write, Held& held) {
    COMAP_GET(held, open_file(directory, name, must_write));
    between_steps();
    if (!keeps(Rule::ask_before_read_lock)) {
        COMAP_GET(const Found found, lock_then_ask(name, held));
        if (found != Found::nothing) return found;
    }
    const auto lock = os::ask_lock(held.fd.number());
    if (!lock) return refused(lock.error(), name, "asked for its holders");
    if (*lock == os::Locked::for_writing) return Found::start_again;
    if (*lock == os::Locked::no) {
        between_steps();
        COMAP_GET(const Found found, take_unheld(directory, name, held));
        if (found != Found::held) return found;
    }
    COMAP_GET(const Found found, hold(name, held));
    if (found == Found::held && !held.state.is_regular) return not_an_object(directory, name, "something that is no regular file");
    return found;
}

}  // namespace

Result<Held> open_held(const Directory& directory, const Name& name, bool must_write) {
    Attempts attempts;
    for (;;) {
        Held held;
        COMAP_GET(const Found found, try_open(directory, name, must_write, held));
        if (found == Found::held) return held;
        if (found == Found::nothing) return not_found(directory, name);
        held.fd.reset();
        if (!attempts.again()) return busy(name);
    }
}

namespace {

// The name is taken: by whom? Nothing if it was a dead object's and is free now.
Result<void> find_rival(const Directory& directory, const Name& name) {
    auto rival = open_held(directory, name, false);
    if (rival) {
        leave(directory, name.file_name, std::move(rival->fd));
        return fail(Code::already_exists, EEXIST, name.full(), "an object '", shown(name.full()), "' already exists in ", directory.path);
    }
    if (rival.error().code != Code::not_found) return tl::unexpected<Error>(std::move(rival).error());
    const auto left = os::state_at(directory.fd.number(), name.file_name);
    if (left && left->uid != os::effective_uid())
        return fail(Code::permission_denied, EPERM, name.full(), "the name '", shown(name.full()), "' is that of a dead object of user ",
                    left->uid, ", which only that user, root or a system janitor can remove (comap gc)");
    return {};
}

}  // namespace

Result<void> link_held(const Directory& directory, const Name& name, const Held& held) {
    Attempts attempts;
    for (;;) {
        if (!keeps(Rule::lock_before_link)) os::release_lock(held.fd.number());
        const auto linked = os::link_at(held.fd.number(), directory.fd.number(), name.file_name);
        if (!keeps(Rule::lock_before_link)) {
            between_steps();
            (void)os::try_read_lock(held.fd.number());
        }
        if (linked) return {};
        if (linked.error() != EEXIST) return refused(linked.error(), name, "given its name");
        COMAP_TRY(find_rival(directory, name));
        if (!attempts.again()) return busy(name);
    }
}

Left leave(const Directory& directory, const std::string& file_name, os::Fd fd) {
    between_steps();
    const NoFork no_fork;
    if (!keeps(Rule::leave_by_fresh_descriptor))
        return reap(directory, file_name, fd.number(), false) == Reaped::removed ? Left::gone : Left::others_hold_it;
    auto afresh = os::open_at(directory.fd.number(), file_name, true);
    if (!keeps(Rule::never_unlock_read_lock)) os::release_lock(fd.number());
    fd.reset();
    if (!afresh && (afresh.error() == EMFILE || afresh.error() == ENFILE))  // now there is room for one
        afresh = os::open_at(directory.fd.number(), file_name, true);
    if (!afresh) return afresh.error() == ENOENT ? Left::gone : Left::others_hold_it;
    between_steps();
    const auto lock = os::ask_lock(afresh->number());
    if (!lock || *lock != os::Locked::no) return Left::others_hold_it;
    switch (reap(directory, file_name, afresh->number(), false)) {
        case Reaped::kept:
            return Left::kept;
        case Reaped::contended:
        case Reaped::not_ours:
            return Left::others_hold_it;
        case Reaped::removed:
        case Reaped::led_elsewhere:
            return Left::gone;
    }
    return Left::gone;
}

namespace {

// A held object: without the sticky bit it ends with its last holder, who may be us.
Result<Removed> let_end(const Directory& directory, const Name& name, Held held) {
    if (held.state.is_sticky()) {
        const auto cleared = os::set_mode(held.fd.number(), held.state.mode & ~01000u);
        if (!cleared) {
            leave(directory, name.file_name, std::move(held.fd));
            return refused(cleared.error(), name, "removed");
        }
    }
    const Left left = leave(directory, name.file_name, std::move(held.fd));
    return left == Left::gone ? Removed::gone : Removed::when_last_holder_ends;
}

// Nothing when the attempt has to be repeated.
Result<std::optional<Removed>> try_remove(const Directory& directory, const Name& name) {
    COMAP_GET(Held held, open_file(directory, name, true));
    const auto state = os::state(held.fd.number());
    if (!state) return refused(state.error(), name, "examined");
    if (!state->is_regular) return not_an_object(directory, name, "something that is no regular file");
    const auto lock = os::ask_lock(held.fd.number());
    if (!lock) return refused(lock.error(), name, "asked for its holders");
    if (*lock == os::Locked::for_writing) return std::nullopt;
    if (*lock == os::Locked::for_reading && keeps(Rule::remove_under_write_lock)) {
        COMAP_GET(const Found found, hold(name, held));
        if (found != Found::held) return std::nullopt;
        COMAP_GET(const Removed removed, let_end(directory, name, std::move(held)));
        return removed;
    }
    between_steps();
    const bool was_dead_object = !state->is_sticky() && begins_like_an_object(held.fd.number());
    switch (reap_afresh(directory, name.file_name, held.fd.number(), true)) {
        case Reaped::removed:
            if (was_dead_object) return not_found(directory, name);
            return Removed::gone;
        case Reaped::not_ours:
            return refused(EPERM, name, "removed");
        case Reaped::led_elsewhere:
        case Reaped::kept:
        case Reaped::contended:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Result<Removed> remove_object(const Directory& directory, const Name& name) {
    Attempts attempts;
    for (;;) {
        COMAP_GET(const auto removed, try_remove(directory, name));
        if (removed) return *removed;
        if (!attempts.again()) return busy(name);
    }
}

Result<CollectedFile> collect_file(const Directory& directory, const std::string& file_name) {
    CollectedFile collected;
    const auto fd = os::open_at(directory.fd.number(), file_name, true);
    if (!fd) return collected;  // gone, not ours, or no file: nothing of ours to remove
    const auto lock = os::ask_lock(fd->number());
    if (!lock || *lock != os::Locked::no) return collected;
    const auto state = os::state(fd->number());
    if (!state || !state->is_regular || state->is_sticky() || !begins_like_an_object(fd->number())) return collected;
    collected.was_dead = true;
    collected.bytes = state->allocated_bytes;
    between_steps();
    const Reaped end = reap_afresh(directory, file_name, fd->number(), false);
    if (end == Reaped::contended)
        return fail(Code::busy, 0, file_name, "the object in file ", shown(file_name), " is in somebody's hands; try again");
    collected.was_dead = end == Reaped::removed || end == Reaped::not_ours;
    collected.removed = end == Reaped::removed;
    return collected;
}

Result<Seen> look(const Directory& directory, const std::string& file_name, const std::string& shown_name) {
    Name name;
    name.scope = Scope::local;
    name.base = shown_name;
    name.file_name = file_name;
    auto fd = os::open_at(directory.fd.number(), file_name, false);
    if (!fd) {
        COMAP_GET(Held held, open_file(directory, name, false));  // for the sentence
        fd = std::move(held.fd);
    }
    Seen seen;
    seen.fd = std::move(*fd);
    const auto lock = os::ask_lock(seen.fd.number());
    const auto state = os::state(seen.fd.number());
    if (!lock || !state) return refused(lock ? state.error() : lock.error(), name, "examined");
    if (!state->is_regular) return not_an_object(directory, name, "something that is no regular file");
    seen.state = *state;
    seen.presence = *lock == os::Locked::for_reading ? Presence::held : state->is_sticky() ? Presence::kept : Presence::dead;
    return seen;
}

void sweep_all(Directory& directory) {
    (void)os::for_each_entry(directory.fd.number(), [&](std::string_view file_name) {
        (void)collect_file(directory, std::string(file_name));  // what cannot be removed now is found again
        return true;
    });
}

void sweep_some(Directory& directory) {
    const std::uint64_t now_ns = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    if (now_ns < directory.next_sweep_ns.load(std::memory_order_relaxed)) return;
    if (directory.sweeping.exchange(true, std::memory_order_acquire)) return;  // SYNC sweep.claim: pairs with sweep.done
    directory.next_sweep_ns.store(now_ns + kSweepPeriodNs, std::memory_order_relaxed);
    std::uint64_t position = 0;
    const std::uint64_t first = directory.sweep_position;
    (void)os::for_each_entry(directory.fd.number(), [&](std::string_view file_name) {
        if (position++ < first) return true;
        (void)collect_file(directory, std::string(file_name));
        return position < first + kSweepCount;
    });
    directory.sweep_position = position < first + kSweepCount ? 0 : position;
    directory.sweeping.store(false, std::memory_order_release);  // SYNC sweep.done: pairs with sweep.claim
}

}  // namespace comap::internal
