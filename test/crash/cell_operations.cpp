// SPDX-License-Identifier: Apache-2.0
// Cells, killed everywhere in a call: the value is the one before or the one after, and the next writer goes on at once.
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>

#include "operations.hpp"

namespace comap::crash {
namespace {

constexpr const char* kCellName = "cell";

// Longer than a line, and no whole number of words.
struct Value {
    std::uint8_t bytes[147];
};
COMAP_RECORD(Value, bytes);

constexpr std::uint8_t kOld = 1;
constexpr std::uint8_t kNew = 2;
constexpr std::uint8_t kNext = 3;

// Every byte is told from its neighbours, and the values from each other.
Value value_of(std::uint8_t number) {
    Value value;
    for (std::size_t i = 0; i < sizeof value.bytes; ++i) value.bytes[i] = static_cast<std::uint8_t>(number * 50 + i);
    return value;
}
bool is_value(const Value& value, std::uint8_t number) {
    const Value wanted = value_of(number);
    return std::memcmp(&value, &wanted, sizeof value) == 0;
}

using ValueCell = Cell<Value>;

Result<void> done(const Result<std::uint32_t>& version, std::uint32_t wanted) {
    if (!version) return tl::unexpected<Error>(version.error());
    if (*version != wanted) return tl::unexpected<Error>(Error{Code::corrupt, 0, kCellName, "the version is not the next"});
    return {};
}

std::span<const std::byte> bytes_of(const Value& value) { return std::as_bytes(std::span(&value, 1)); }

Result<std::uint32_t> store_in(const RawCell& cell, std::uint8_t number) {
    const Value value = value_of(number);
    return cell.store(bytes_of(value), Deadline::after(std::chrono::seconds(60)));
}

// --- before
void arrange(World& world, bool many) {
    auto made = ValueCell::create(kCellName, {.writers = many ? 4u : 1u}, *world.context);
    if (!world.expect_ok(made, "the cell is made")) return;
    auto held = RawCell::open(kCellName, made->raw().type(), {}, *world.context);
    if (!world.expect_ok(held, "the cell is opened")) return;
    world.held_cell = std::move(*held);
    world.expect_ok(store_in(world.held_cell, kOld), "the old value is stored");
    world.held_cell.give_up_role();
}
void arrange_cell(World& world) { arrange(world, false); }
void arrange_cell_of_many(World& world) { arrange(world, true); }
void arrange_no_cell(World&) {}

// A writer died before with a place.
void arrange_abandoned_cell(World& world) {
    arrange(world, true);
    world.in_process_that_dies([&](Context&) {
        const auto die = [](std::byte*, void*) { ::_exit(0); };
        return !world.held_cell.update(die, nullptr, Deadline::passed());
    });
}

// --- the actor
bool prepare_cell(Actor& actor) {
    auto opened = RawCell::open(kCellName, {}, actor.begin());
    if (opened) actor.cell = std::move(*opened);
    return opened.has_value();
}
bool prepare_writer(Actor& actor) { return prepare_cell(actor) && store_in(actor.cell, kOld); }
bool prepare_begin(Actor& actor) {
    actor.begin();
    return true;
}

Result<void> store_first(Actor& actor) { return done(store_in(actor.cell, kNew), 2); }
Result<void> store_again(Actor& actor) { return done(store_in(actor.cell, kNew), 3); }
Result<void> update_first(Actor& actor) {
    const auto change = [](std::byte* bytes, void*) {
        const Value value = value_of(kNew);
        std::memcpy(bytes, &value, sizeof value);
    };
    return done(actor.cell.update(change, nullptr, Deadline::after(std::chrono::seconds(60))), 2);
}
Result<void> give_up(Actor& actor) {
    actor.cell.give_up_role();
    return {};
}
Result<void> close(Actor& actor) {
    actor.cell.close();
    return {};
}
Result<void> create(Actor& actor) {
    auto made = RawCell::create(kCellName, RecordType::parse(record_format<Value>()).value(), {.history = 10}, *actor.context);
    if (!made) return tl::unexpected<Error>(made.error());
    actor.cell = std::move(*made);
    return {};
}

// --- after
void note_order(World& world, bool happened, const char* what) {
    if (world.killed_in_place) world.verdict.expect_order(happened, what);
}

// While the actor stands still in the middle of its store: the others load and store.
void store_meanwhile(World& world) {
    Value value;
    const auto loaded = world.held_cell.load(std::as_writable_bytes(std::span(&value, 1)));
    if (!world.expect_ok(loaded, "a value can be loaded while a writer is stopped")) return;
    world.expect(is_value(value, kOld) || is_value(value, kNew), "the value is whole while a writer is stopped");
    const Value next = value_of(kNext);
    const auto stored = world.timed([&] { return world.held_cell.store(bytes_of(next), Deadline::passed()); });
    // What the stopped one has claimed is completed before.
    const bool is_next = stored && (*stored == *loaded + 1 || *stored == *loaded + 2);
    world.expect(is_next, "another stores at once while a writer is stopped" + (stored ? "" : ": " + stored.error().message));
    world.expect(world.held_cell.load(std::as_writable_bytes(std::span(&value, 1))) && is_value(value, kNext), "what another stored is the latest");
    world.held_cell.give_up_role();
}

// After that: the actor is dead, and its store has either come before the one that was made meanwhile or never.
void inspect_after_meanwhile(World& world, bool completed) {
    if (completed) return;
    Value value;
    const auto version = world.held_cell.load(std::as_writable_bytes(std::span(&value, 1)));
    if (!world.expect_ok(version, "the value can be loaded")) return;
    world.expect(is_value(value, kNext), "what was stored meanwhile stays the latest");
    for (int round = 0; round < 10; ++round) {
        const auto stored = store_in(world.held_cell, round % 2 == 0 ? kOld : kNew);
        world.expect(stored && *stored == *version + 1 + static_cast<std::uint32_t>(round), "each later store is one version");
        world.expect(world.held_cell.load(std::as_writable_bytes(std::span(&value, 1))) && is_value(value, round % 2 == 0 ? kOld : kNew), "and the latest value");
    }
}

// `before`: the version before the call.
void inspect_value(World& world, bool completed, std::uint32_t before) {
    Value value;
    const auto version = world.held_cell.load(std::as_writable_bytes(std::span(&value, 1)));
    if (!world.expect_ok(version, "the value can be loaded")) return;
    const bool is_old = *version == before && is_value(value, kOld);
    const bool is_new = *version == before + 1 && is_value(value, kNew);
    world.expect(is_old || is_new, "the value is the one before or the one after, with its version");
    if (completed) world.expect(is_new, "a call that was completed has stored");
    if (world.killed_at_begin) world.expect(is_old, "one killed before the call has stored nothing");
    note_order(world, is_new, "nothing is stored");
    const auto old = ValueCell::open(kCellName, {}, *world.context);
    if (world.expect_ok(old, "the cell can be opened") && is_new) {
        const auto earlier = old->load_version(before);
        world.expect(earlier && is_value(*earlier, kOld), "the value before is kept");
    }
    const auto next = world.timed([&] { return store_in(world.held_cell, kNext); });
    // One of several writers that was killed may have claimed a version that nobody has seen yet.
    const bool may_be_claimed = world.held_cell.writers() > 1 && is_old;
    const bool is_next = next && (*next == *version + 1 || (may_be_claimed && *next == *version + 2));
    world.expect(is_next, "the next writer goes on at once" + (next ? "" : ": " + next.error().message));
    if (is_next && *next == *version + 2) {
        const auto claimed = old->load_version(*version + 1);
        world.expect(claimed && is_value(*claimed, kNew), "what was claimed was the new value");
    }
    const auto loaded = old ? old->load() : Result<Value>(tl::unexpected<Error>(old.error()));
    world.expect(loaded && is_value(*loaded, kNext), "what the next wrote is found");
}
void inspect_first(World& world, bool completed) { inspect_value(world, completed, 1); }
void inspect_again(World& world, bool completed) { inspect_value(world, completed, 2); }

// The role is free, whether it was given up before the kill or by it.
void inspect_role(World& world, bool) {
    Value value;
    const auto version = world.held_cell.load(std::as_writable_bytes(std::span(&value, 1)));
    world.expect(version && *version == 2 && is_value(value, kOld), "the value stays");
    const auto next = world.timed([&] { return store_in(world.held_cell, kNext); });
    world.expect(next && *next == 3, "the next has the role at once");
}

// Its creator is dead: it never was, or it ended with him; the next can make it.
void inspect_created(World& world, bool) {
    const auto opened = world.timed([&] { return ValueCell::open(kCellName, {}, *world.context); });
    world.expect(!opened && opened.error().code == Code::not_found, "the cell has ended with its last holder");
    const auto next = world.timed([&] { return ValueCell::create(kCellName, {}, *world.context); });
    if (!world.expect_ok(next, "the next makes it")) return;
    const auto value = next->load();
    const Value zeros{};
    world.expect(value && std::memcmp(&*value, &zeros, sizeof zeros) == 0, "a new cell is zero");
}

}  // namespace

const std::vector<Operation>& cell_operations() {
    static const std::vector<Operation> all = {
        {"cell_create", arrange_no_cell, prepare_begin, create, inspect_created},
        {"cell_store_first", arrange_cell, prepare_cell, store_first, inspect_first},
        {"cell_store", arrange_cell, prepare_writer, store_again, inspect_again},
        {"cell_update", arrange_cell, prepare_cell, update_first, inspect_first},
        {"cell_give_up_role", arrange_cell, prepare_writer, give_up, inspect_role},
        {"cell_close", arrange_cell, prepare_writer, close, inspect_role},
        {"cell_store_first_many", arrange_cell_of_many, prepare_cell, store_first, inspect_first},
        {"cell_store_many", arrange_cell_of_many, prepare_writer, store_again, inspect_again},
        {"cell_update_many", arrange_cell_of_many, prepare_cell, update_first, inspect_first},
        {"cell_store_abandoned", arrange_abandoned_cell, prepare_cell, store_first, inspect_first},
        {"cell_store_stopped", arrange_cell_of_many, prepare_writer, store_again, inspect_after_meanwhile, store_meanwhile},
        {"cell_store_first_stopped", arrange_cell_of_many, prepare_cell, store_first, inspect_after_meanwhile, store_meanwhile},
        {"cell_update_stopped", arrange_cell_of_many, prepare_cell, update_first, inspect_after_meanwhile, store_meanwhile},
    };
    return all;
}

}  // namespace comap::crash
