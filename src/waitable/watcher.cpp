// SPDX-License-Identifier: Apache-2.0
#include <comap/watcher.hpp>

#include <functional>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "object/object.hpp"
#include "os/change_events.hpp"
#include "sync/change_word.hpp"
#include "waitable/core.hpp"

namespace comap {
namespace {

using namespace internal;

struct Watched {
    std::shared_ptr<Object> object;
    HeaderPage* page = nullptr;
    int watch = -1;  // several tags may share one: the same object under several handles
    std::uint32_t seen = 0;
    bool is_told = true;     // the next publish will make an event
    std::function<bool()> is_ready = {};  // events and semaphores: what counts, for their versions are advanced only while armed
};

// Arms again; the version if it is not the one last reported.
std::optional<std::uint32_t> look_again(Watched& watched) {
    watched.is_told = watched.object->arm(*watched.page, 0);
    const std::uint32_t now = version_after_arming(watched.page->change);
    if (watched.is_ready ? !watched.is_ready() : now == watched.seen) return std::nullopt;
    watched.seen = now;
    return now;
}

// Makes an event of the object's file: opening and closing it is one.
bool make_event(const Object& object) {
    if (os::reopen(object.descriptor(), false)) return true;
    return object.access() == Access::read_write && os::touch(object.descriptor(), kScratchOffsetBytes);
}

tl::unexpected<Error> too_many_files(const Object& object) {
    return fail(Code::os_error, EMFILE, object.name(), "'", shown(object.name()), "' cannot be watched: too many open files");
}

tl::unexpected<Error> cannot_be_told(const Object& object) {
    return fail(Code::unsupported, 0, object.name(), "'", shown(object.name()), "' cannot be watched by descriptor: the kernel, or a sandbox, refuses membarrier(2), or who writes it was stopped in the middle");
}

}  // namespace

struct Watcher::State {
    explicit State(os::ChangeEvents from) : events(std::move(from)) {}

    // Where a publisher is stopped in a place where he may not see that he is watched, the descriptor stays readable: the caller
    // looks again. Errors: os_error.
    Result<void> stay_readable_for_untold() {
        if (!has_untold) return {};
        for (auto& [tag, entry] : watched) {
            if (entry.is_told) continue;
            if (!make_event(*entry.object)) return too_many_files(*entry.object);  // the next call tries again
            entry.is_told = true;
        }
        has_untold = false;
        return {};
    }

    std::optional<Changed> look(std::uint64_t tag) {
        const auto found = watched.find(tag);
        if (found == watched.end()) return std::nullopt;
        const auto version = look_again(found->second);
        has_untold = has_untold || !found->second.is_told;
        if (!version) return std::nullopt;
        return Changed{tag, *version};
    }

    // The tags to look at for an event.
    void note(const os::FileEvent& event) {
        for (const auto& [tag, entry] : watched)
            if (event.overflowed || entry.watch == event.watch) to_look_at.push_back(tag);
    }

    bool is_shared(int watch) const {
        std::size_t count = 0;
        for (const auto& [tag, entry] : watched) count += entry.watch == watch ? 1 : 0;
        return count > 1;
    }

    Result<void> add(const std::shared_ptr<Object>& object, std::uint64_t tag, std::uint32_t seen, std::function<bool()> is_ready = {});
    Result<void> add(const SyncObject& one, std::uint64_t tag, std::function<bool()> is_ready);
    Result<void> add(const Waitable& data, const std::shared_ptr<Object>& object, std::uint64_t tag);

    os::ChangeEvents events;
    std::unordered_map<std::uint64_t, Watched> watched;
    std::vector<std::uint64_t> to_look_at;
    bool has_untold = false;
};

Result<void> Watcher::State::add(const SyncObject& one, std::uint64_t tag, std::function<bool()> is_ready) {
    const auto& object = one.object();
    if (object && object->header().kind == Kind::section)
        return fail(Code::invalid_argument, 0, object->name(), "what lies inside the section '", shown(object->name()), "' cannot be watched by itself: watch the section, and publish it");
    std::uint32_t seen = 0;
    if (object) {
        COMAP_GET(seen, object->version());
    }
    return add(object, tag, seen, std::move(is_ready));
}

Result<void> Watcher::State::add(const std::shared_ptr<Object>& object, std::uint64_t tag, std::uint32_t seen, std::function<bool()> is_ready) {
    if (!object) return fail(Code::invalid_argument, 0, "", "this handle is closed and cannot be watched");
    if (watched.contains(tag))
        return fail(Code::invalid_argument, 0, object->name(), "the tag ", tag, " is already in use in this watcher");
    COMAP_TRY(object->require_waitable());
    COMAP_GET(HeaderPage* const page, object->page());
    const auto watch = events.add(object->descriptor());
    if (!watch)
        return fail(code_of(watch.error()), watch.error(), object->name(), "'", shown(object->name()), "' cannot be watched: ", os_text(watch.error()),
                    " (limits: fs.inotify.max_user_watches)");
    Watched& entry = watched[tag] = Watched{object, page, *watch, seen & kVersionMask, true, std::move(is_ready)};
    const bool is_told = object->arm(*page, kSettlePauses);
    // An event of our own: the descriptor becomes readable for what is there already.
    const std::uint32_t now = version_after_arming(page->change);
    const bool is_there = entry.is_ready ? entry.is_ready() : now != entry.seen;
    if (is_told && (!is_there || make_event(*object))) return {};
    if (!is_shared(*watch)) events.remove(*watch);
    watched.erase(tag);
    return is_told ? too_many_files(*object) : cannot_be_told(*object);
}

Result<void> Watcher::State::add(const Waitable& data, const std::shared_ptr<Object>& object, std::uint64_t tag) {
    if (!object) return fail(Code::invalid_argument, 0, "", "this handle is closed and cannot be watched");
    bool is_sure = true;
    (void)data.hooks()->look_after_arming(data.data(), is_sure);
    if (!is_sure) return cannot_be_told(*object);
    return add(object, tag, 0, [data] {
        bool sure = true;
        return data.hooks()->look_after_arming(data.data(), sure);
    });
}

Watcher::Watcher() = default;
Watcher::~Watcher() = default;
Watcher::Watcher(Watcher&& other) noexcept = default;
Watcher& Watcher::operator=(Watcher&& other) noexcept = default;

Result<Watcher> Watcher::create() {
    auto events = os::ChangeEvents::create();
    if (!events)
        return fail(code_of(events.error()), events.error(), "", "no watcher can be made: ", os_text(events.error()),
                    " (limits: fs.inotify.max_user_instances)");
    Watcher watcher;
    watcher.state_ = std::make_unique<State>(std::move(*events));
    return watcher;
}

int Watcher::descriptor() const { return state_ ? state_->events.descriptor() : -1; }

namespace {
tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this watcher is closed"); }
}  // namespace

Result<void> Watcher::add(const Section& section, std::uint64_t tag, std::uint32_t seen) {
    return state_ ? state_->add(section.object(), tag, seen) : closed();
}

Result<void> Watcher::add(const Text& text, std::uint64_t tag, std::uint32_t seen) {
    return state_ ? state_->add(text.object(), tag, seen) : closed();
}

Result<void> Watcher::add(const RawCell& cell, std::uint64_t tag, std::uint32_t seen) {
    return state_ ? state_->add(cell.object(), tag, seen) : closed();
}

Result<void> Watcher::add(const Event& event, std::uint64_t tag) {
    return state_ ? state_->add(event, tag, [core = event.core()] { return core->event().is_set(); }) : closed();
}

Result<void> Watcher::add(const Semaphore& semaphore, std::uint64_t tag) {
    return state_ ? state_->add(semaphore, tag, [core = semaphore.core()] { return tokens_of(core->semaphore().value()) > 0; }) : closed();
}

Result<void> Watcher::add(RawSubscription& subscription, std::uint64_t tag) { return state_ ? state_->add(Waitable(subscription), subscription.object(), tag) : closed(); }
Result<void> Watcher::add(const RawQueue& queue, std::uint64_t tag) { return state_ ? state_->add(Waitable(queue), queue.object(), tag) : closed(); }

Result<void> Watcher::remove(std::uint64_t tag) {
    if (!state_) return closed();
    const auto found = state_->watched.find(tag);
    if (found == state_->watched.end()) return fail(Code::not_found, 0, "", "the tag ", tag, " is not in use in this watcher");
    if (!state_->is_shared(found->second.watch)) state_->events.remove(found->second.watch);
    state_->watched.erase(found);
    return {};
}

Result<std::optional<Changed>> Watcher::next() {
    if (!state_) return closed();
    for (;;) {
        while (!state_->to_look_at.empty()) {
            const std::uint64_t tag = state_->to_look_at.back();
            state_->to_look_at.pop_back();
            if (const auto changed = state_->look(tag)) return changed;
        }
        const auto event = state_->events.next();
        if (!event) return fail(Code::os_error, event.error(), "", "the watcher's events cannot be read: ", os_text(event.error()));
        if (!*event) {
            COMAP_TRY(state_->stay_readable_for_untold());
            return std::nullopt;
        }
        state_->note(**event);
    }
}

}  // namespace comap
