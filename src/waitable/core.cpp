// SPDX-License-Identifier: Apache-2.0
#include "waitable/core.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "sync/robust_lock.hpp"

namespace comap::internal {
namespace {

// "the mutex 'x'", "the mutex at byte 4032 of 'x'".
std::string described(Kind kind, const SyncPlace& place) {
    const std::string name = place.object->name().empty() ? std::string("the unnamed object") : cat("'", shown(place.object->name()), "'");
    if (!place.in_section) return cat("the ", kind_name(kind), " ", name);
    return cat("the ", kind_name(kind), " at byte ", place.page_offset_bytes - place.object->body_offset_bytes() + kSyncBlockInPage, " of ", name);
}

bool is_sync_kind(std::uint32_t kind) {
    return kind == static_cast<std::uint32_t>(Kind::mutex) || kind == static_cast<std::uint32_t>(Kind::event) || kind == static_cast<std::uint32_t>(Kind::semaphore);
}

bool is_valid(Kind kind, std::uint32_t parameter) {
    if (kind == Kind::event) return parameter <= 1;
    if (kind == Kind::semaphore) return parameter >= 1 && parameter <= kSemaphoreMaximum;
    return parameter == 0;
}

// All cores of this process. Never destroyed: handles may be closed until the very end. While its mutex is locked nobody forks.
struct Registry {
    std::mutex mutex;
    // One that can only be read (its descriptor was shared so) has a core of its own.
    using Entry = std::pair<SyncKey, bool>;  // bool: writable
    std::map<Entry, std::weak_ptr<SyncCore>> cores;
    std::vector<std::shared_ptr<SyncCore>> owned_without_handle;
    std::size_t next_sweep = 16;  // size of cores at which those that are gone are taken out

    static Registry& instance() {
        static Registry* const registry = new Registry;
        return *registry;
    }

    // Of the cores that only an owner's thread needed, those whose thread has ended are not needed any more. One thread may own
    // many: it is asked for once.
    void drop_orphans() {
        std::uint64_t asked = 0;
        bool lives = false;
        std::erase_if(owned_without_handle, [&](const auto& core) {
            const std::uint64_t owner = core->owner_token();
            if (owner != asked) lives = owner != 0 && os::is_alive(owner);
            asked = owner;
            return !lives;
        });
    }

    // Room for it to become an orphan is made here, since closing a handle must not fail.
    void add(const Entry& entry, const std::shared_ptr<SyncCore>& core) {
        if (cores.size() >= next_sweep) {
            std::erase_if(cores, [](const auto& one) { return one.second.expired(); });
            next_sweep = 2 * cores.size() + 16;
        }
        owned_without_handle.reserve(cores.size() + 1);
        cores[entry] = core;
    }

    std::shared_ptr<SyncCore> find(const Entry& entry) {
        const auto found = cores.find(entry);
        if (found == cores.end()) return nullptr;
        auto core = found->second.lock();
        if (!core) cores.erase(found);
        return core;
    }
};

}  // namespace

WaitPoint<os::Machine> SyncCore::point() const {
    WaitPoint<os::Machine> point;
    point.may_write = may_write_;
    point.lock = mutex_.lock;
    switch (kind_) {
        case Kind::mutex:
            point.is = Awaited::mutex;
            point.mutex = mutex_;
            break;
        case Kind::event:
            point.is = is_manual() ? Awaited::manual_event : Awaited::automatic_event;
            point.event = event_;
            point.seen = EventWord<os::Machine>::epoch_of(event_.value());
            break;
        default:
            point.is = Awaited::semaphore;
            point.semaphore = semaphore_;
            break;
    }
    return point;
}

void SyncCore::clear_dead_reservation() const {
    look_at_reservation<os::Machine>(event_, block_->lock);
}

Result<void> SyncCore::map(Kind kind, const SyncPlace& place) {
    if (kind == Kind::mutex && !can_own_lock_words())
        return fail(Code::unsupported, 0, place.object->name(), described(kind, place),
                    " cannot be used by this program: locks need a 64-bit program, the GNU C library and 4 KiB pages");
    COMAP_GET(pages_, place.object->map_sync_page(place.page_offset_bytes, place.in_section));
    kind_ = kind;
    key_.page_offset_bytes = place.page_offset_bytes;
    block_ = reinterpret_cast<SyncBlock*>(static_cast<char*>(pages_.address()) + kSyncBlockInPage);
    if (!place.in_section) change_ = &static_cast<HeaderPage*>(pages_.address())->change;
    mutex_ = {lock_word_in(pages_), &block_->mark, &record_};
    event_ = {reinterpret_cast<std::atomic<std::uint32_t>*>(&block_->state)};  // little-endian: the lower half
    return {};
}

Result<void> SyncCore::check(Kind kind, const SyncPlace& place) {
    const std::uint32_t there = block_->kind.load(std::memory_order_acquire);  // SYNC block.found: pairs with block.laid_out
    parameter_ = block_->parameter;
    const auto wanted = static_cast<std::uint32_t>(kind);
    if (there == 0 && place.in_section)
        return fail(Code::not_found, 0, place.object->name(), described(kind, place), " was not created yet: nothing is there");
    if (there != wanted && place.in_section && is_sync_kind(there))
        return fail(Code::kind_mismatch, 0, place.object->name(), described(kind, place), " is a ", kind_name(static_cast<Kind>(there)));
    if (there != wanted || !is_valid(kind, parameter_))
        return fail(Code::corrupt, 0, place.object->name(), described(kind, place), " is damaged: its last 64 bytes are not those of a ", kind_name(kind));
    semaphore_ = {&block_->state, parameter_};
    tells_readers_ = place.object->always_wakes();
    always_wakes_ = tells_readers_ && is_manual();  // who takes something can write
    may_write_ = place.object->sync_pages_are_writable(place.in_section) && !always_wakes_;
    return {};
}

Result<std::shared_ptr<SyncCore>> SyncCore::attach(Kind kind, const SyncPlace& place) {
    COMAP_GET(const os::FileState state, place.object->sync_file_state(place.in_section));
    const SyncKey key{state.device, state.inode, place.page_offset_bytes};
    const Registry::Entry entry{key, place.object->sync_pages_are_writable(place.in_section)};
    Registry& registry = Registry::instance();
    {
        const os::NoForkScope no_fork;
        const std::lock_guard guard(registry.mutex);
        registry.drop_orphans();
        if (auto known = registry.find(entry); known && known->kind_ == kind) return known;
    }
    std::shared_ptr<SyncCore> core(new SyncCore);
    COMAP_TRY(core->map(kind, place));
    COMAP_TRY(core->check(kind, place));
    core->key_ = key;
    const os::NoForkScope no_fork;
    const std::lock_guard guard(registry.mutex);
    if (auto known = registry.find(entry); known && known->kind_ == kind) return known;  // another thread was first
    registry.add(entry, core);
    return core;
}

Result<std::shared_ptr<SyncCore>> SyncCore::lay_out(Kind kind, std::uint32_t parameter, std::uint64_t state, const SyncPlace& place) {
    SyncCore scratch;
    COMAP_TRY(scratch.map(kind, place));
    SyncBlock& block = *scratch.block_;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&block);
    if (std::any_of(bytes, bytes + offsetof(SyncBlock, scratch_36), [](unsigned char byte) { return byte != 0; }))
        return fail(Code::already_exists, 0, place.object->name(), described(kind, place), " cannot be created: the bytes there are in use; open it, or choose another page");
    if (parameter != 0) block.parameter = parameter;
    if (state != 0) block.state.store(state, std::memory_order_relaxed);
    // SYNC block.laid_out: its fields are there before the kind says so; pairs with block.found.
    block.kind.store(static_cast<std::uint32_t>(kind), std::memory_order_release);
    return attach(kind, place);
}

void SyncCore::release(std::shared_ptr<SyncCore> core) {
    if (!core) return;
    Registry& registry = Registry::instance();
    const os::NoForkScope no_fork;
    const std::lock_guard guard(registry.mutex);
    registry.drop_orphans();
    const auto& orphans = registry.owned_without_handle;
    const std::uint64_t owner = core->owner_token();
    if (owner != 0 && os::is_alive(owner) && std::find(orphans.begin(), orphans.end(), core) == orphans.end()) registry.owned_without_handle.push_back(core);
}

}  // namespace comap::internal
