// SPDX-License-Identifier: Apache-2.0
// Event: set or not, and waiting until it is set. The idea is that of the Windows event object.
#pragma once

#include <comap/sync_object.hpp>

namespace comap {

enum class Reset : std::uint8_t {
    automatic,  // lets one waiter pass, who resets it
    manual,     // lets everybody pass until reset() is called
};

struct EventOptions {
    Reset reset = Reset::automatic;
    bool initially_set = false;
    std::uint32_t mode = 0600;
    bool keep = false;
};

class COMAP_API Event : public SyncObject {
  public:
    Event() = default;

    // Errors: as Section::create.
    static Result<Event> create(std::string_view name, const EventOptions& options = {}, Context& context = Context::standard());
    // Errors: as Section::open; kind_mismatch. A manual event can be opened read_only, and waited for.
    static Result<Event> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    // An existing event keeps its own kind of reset and its state.
    static Result<Event> open_or_create(std::string_view name, const EventOptions& options = {}, Context& context = Context::standard());
    static Result<Event> create_unnamed(const EventOptions& options = {});
    static Result<Event> from_descriptor(int descriptor, const OpenOptions& options = {}, Context& context = Context::standard());

    // Inside a section: as Mutex::create_in and open_in. Of the options, reset and initially_set are used.
    static Result<Event> create_in(const Section& section, std::uint64_t offset_bytes, const EventOptions& options = {});
    static Result<Event> open_in(const Section& section, std::uint64_t offset_bytes);

    Reset reset_kind() const;

    // Sets it: one compare-and-swap unless somebody sleeps. What was done before is seen by whoever passes. Setting what is
    // set already changes nothing. Errors: permission_denied (read-only handle).
    Result<void> set() const;

    // Errors: permission_denied; busy (somebody who waits for several objects was stopped in the instant he had it reserved).
    Result<void> reset() const;

    // Lets pass who waits for it now (all for a manual event, one for an automatic one) and leaves it reset. A waiter that was
    // just elsewhere misses it: prefer set().
    Result<void> pulse() const;

    Result<bool> is_set() const;  // now; takes nothing

    // Blocks until it is set, or the deadline; an automatic event is reset by who returns. Waiters of a manual event pass even if
    // it is reset again before they run. Never acquired_abandoned. Errors: corrupt, permission_denied.
    Result<Acquired> wait(Deadline deadline = Deadline::forever()) const;
};

}  // namespace comap
