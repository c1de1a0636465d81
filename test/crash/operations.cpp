// SPDX-License-Identifier: Apache-2.0
#include "operations.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace comap::crash {
namespace {

const std::string kOldText(70, 'o');
const std::string kNewText(150, 'n');
const std::string kAdded = " and more";
const std::string kNextText = "what the next writer wrote";
constexpr std::array<const char*, 3> kDeadNames = {"dead1", "dead2", "dead3"};

template <typename T>
Result<void> done(const Result<T>& result) {
    if (!result) return tl::unexpected<Error>(result.error());
    return {};
}

template <typename T>
Result<void> keep_in(T& place, Result<T> made) {
    if (!made) return tl::unexpected<Error>(std::move(made).error());
    place = std::move(*made);
    return {};
}

Result<void> expect_not_found(const Result<Section>& opened) {
    if (!opened && opened.error().code == Code::not_found) return {};
    return tl::unexpected<Error>(Error{Code::corrupt, 0, kName, "a dead object was opened, or the open failed otherwise"});
}

// --- before ------------------------------------------------------------------------------------------------------------

void arrange_nothing(World&) {}

void arrange_body_file(World& world) {
    const int file = ::open(world.body_path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const std::string bytes = pattern(kSize);
    world.expect(file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "the body file is made");
    ::close(file);
}

Section make_section(World& world, bool keep, const std::string& file) {
    CreateOptions options;
    options.keep = keep;
    options.file = file;
    auto made = Section::create(kName, kSize, options, *world.context);
    if (!world.expect_ok(made, "the section is made")) return {};
    world.expect(fill(*made, kSize), "the section is filled");
    return std::move(*made);
}

void arrange_held(World& world) { world.held = make_section(world, false, ""); }
void arrange_held_and_kept(World& world) { world.held = make_section(world, true, ""); }
void arrange_kept(World& world) { make_section(world, true, "").close(); }

void arrange_kept_over_file(World& world) {
    arrange_body_file(world);
    make_section(world, true, world.body_path()).close();
}

void arrange_dead(World& world) {
    world.in_process_that_dies([](Context& own) {
        static Section section;  // never closed
        auto made = Section::create(kName, kSize, {}, own);
        if (made) section = std::move(*made);
        return made.has_value();
    });
}

Text make_text(World& world, bool keep) {
    TextOptions options;
    options.keep = keep;
    auto made = Text::create(kName, options, *world.context);
    if (!world.expect_ok(made, "the text is made")) return {};
    world.expect_ok(made->set(kOldText), "the text is set");
    return std::move(*made);
}

void arrange_held_text(World& world) { world.held_text = make_text(world, false); }
void arrange_kept_text(World& world) { make_text(world, true).close(); }

// Three dead objects, a kept text, a held section with another name.
void arrange_dead_and_living(World& world) {
    world.in_process_that_dies([](Context& own) {
        static std::array<Section, kDeadNames.size()> sections;  // never closed
        for (std::size_t i = 0; i < sections.size(); ++i)
            if (auto made = Section::create(kDeadNames[i], kSize, {}, own)) sections[i] = std::move(*made);
            else return false;
        return true;
    });
    arrange_kept_text(world);
    auto held = Section::create("held", kSize, {}, *world.context);
    if (world.expect_ok(held, "the held section is made")) world.held = std::move(*held);
    fill(world.held, kSize);
}

// The same, and a process that will be killed while the janitor works.
void arrange_for_janitor(World& world) {
    world.in_process_that_dies([](Context& own) {
        static std::array<Section, kDeadNames.size()> sections;  // never closed
        for (std::size_t i = 0; i < sections.size(); ++i)
            if (auto made = Section::create(kDeadNames[i], kSize, {}, own)) sections[i] = std::move(*made);
            else return false;
        return true;
    });
    world.start_holder();
}

// --- the actor's preparations --------------------------------------------------------------------------------------------

bool prepare_nothing(Actor&) { return true; }
bool prepare_open(Actor& actor) { return keep_in(actor.section, Section::open(kName, {}, actor.begin())).has_value(); }

bool prepare_open_and_view(Actor& actor) {
    return prepare_open(actor) && keep_in(actor.view, actor.section.view()).has_value();
}

bool prepare_create_and_view(Actor& actor) {
    return keep_in(actor.section, Section::create(kName, kSize, {}, actor.begin())) && keep_in(actor.view, actor.section.view());
}

bool prepare_text(Actor& actor) { return keep_in(actor.text, Text::open(kName, {}, actor.begin())).has_value(); }

// As prepare_text, by one that has written before, so that its lock is attached.
bool prepare_writer(Actor& actor) { return prepare_text(actor) && actor.text.set(kOldText); }

// --- the calls -----------------------------------------------------------------------------------------------------------

Result<void> create(Actor& actor) { return keep_in(actor.section, Section::create(kName, kSize, {}, actor.begin())); }

Result<void> create_kept(Actor& actor) {
    CreateOptions options;
    options.keep = true;
    return keep_in(actor.section, Section::create(kName, kSize, options, actor.begin()));
}

Result<void> create_lazy(Actor& actor) {
    CreateOptions options;
    options.lazy = true;
    return keep_in(actor.section, Section::create(kName, kSize, options, actor.begin()));
}

Result<void> create_over_file(Actor& actor) {
    CreateOptions options;
    options.file = actor.root + "/body";
    return keep_in(actor.section, Section::create(kName, kGrownSize, options, actor.begin()));
}

Result<void> create_text(Actor& actor) { return keep_in(actor.text, Text::create(kName, {}, actor.begin())); }
Result<void> open(Actor& actor) { return keep_in(actor.section, Section::open(kName, {}, actor.begin())); }
Result<void> open_dead(Actor& actor) { return expect_not_found(Section::open(kName, {}, actor.begin())); }

Result<void> open_or_create(Actor& actor) {
    return keep_in(actor.section, Section::open_or_create(kName, kSize, {}, actor.begin()));
}

Result<void> put(Actor& actor) {
    TextOptions options;
    options.keep = true;
    auto made = Text::open_or_create(kName, options, actor.begin());
    if (!made) return tl::unexpected<Error>(made.error());
    actor.text = std::move(*made);
    const auto set = actor.text.set(kNewText);
    actor.text.close();
    return done(set);
}

Result<void> set(Actor& actor) { return done(actor.text.set(kNewText)); }
Result<void> append(Actor& actor) { return done(actor.text.append(kAdded)); }
Result<void> grow(Actor& actor) { return actor.section.grow(kGrownSize); }
Result<void> keep(Actor& actor) { return actor.section.set_keep(true); }

Result<void> close(Actor& actor) {
    actor.section.close();
    actor.view.close();
    return {};
}

Result<void> close_text(Actor& actor) {
    actor.text.close();
    return {};
}

Result<void> remove(Actor& actor) { return done(actor.begin().remove(kName)); }

Result<void> remove_dead(Actor& actor) {
    const auto removed = actor.begin().remove(kName);
    if (!removed && removed.error().code == Code::not_found) return {};
    return tl::unexpected<Error>(Error{Code::corrupt, 0, kName, "a dead object was there to be removed, or the removal failed otherwise"});
}

Result<void> collect(Actor& actor) { return done(actor.begin().collect(Scope::local)); }

// As a janitor does with each file that was closed.
Result<void> collect_files(Actor& actor) {
    Context& context = actor.begin();
    for (const char* const name : {"dead1", kName, "dead2", "held", "dead3", "nothing"})
        if (const auto collected = context.collect_file(Scope::local, name); !collected) return tl::unexpected<Error>(collected.error());
    return {};
}

// --- after ---------------------------------------------------------------------------------------------------------------

bool is_there(const World& world) { return world.file_names().contains(kName); }

// The next comer makes a section of that name at once.
void expect_can_be_made(World& world) {
    auto made = world.timed([&] { return Section::open_or_create(kName, kSize, {}, *world.context); });
    if (!world.expect_ok(made, "the next process makes the section at once")) return;
    world.expect(made->was_created(), "the next process gets a new section, not a dead one's");
    expect_whole(world, *made, kSize, 0);
    world.expect(fill(*made, kSize), "the new section can be written");
    made->close();
    world.expect(!is_there(world), "the new section goes with its holder");
}

void inspect_new(World& world, bool) { expect_can_be_made(world); }

// What was made has nobody who holds it: it must be either kept and whole, or not there.
void inspect_new_kept(World& world, bool completed) {
    auto opened = world.timed([&] { return Section::open(kName, {}, *world.context); });
    world.expect(opened || opened.error().code == Code::not_found, "a kept section is there or not: " + (opened ? "" : opened.error().message));
    world.expect(opened || !completed, "a kept section is there once it was made");
    if (opened) {
        expect_whole(world, *opened, kSize, 0);
        opened->close();
        world.expect(is_there(world), "a kept section stays");
        world.expect_ok(world.context->remove(kName), "a kept section can be removed");
    }
    expect_can_be_made(world);
}

void inspect_new_over_file(World& world, bool completed) {
    CreateOptions options;
    options.file = world.body_path();
    auto made = world.timed([&] { return Section::open_or_create(kName, kGrownSize, options, *world.context); });
    if (!world.expect_ok(made, "the next process makes the section at once")) return;
    world.expect(made->was_created(), "the next process gets a new section, not a dead one's");
    expect_whole(world, *made, kGrownSize, kSize);
    struct stat state = {};
    world.expect(!completed || (::stat(world.body_path().c_str(), &state) == 0 && static_cast<std::uint64_t>(state.st_size) >= kGrownSize),
                 "the file was extended");
}

void inspect_new_text(World& world, bool) {
    auto made = world.timed([&] { return Text::open_or_create(kName, {}, *world.context); });
    if (!world.expect_ok(made, "the next process makes the text at once")) return;
    world.expect(made->was_created(), "the next process gets a new text, not a dead one's");
    const auto value = made->get();
    world.expect(value && value->value.empty() && value->version == 0, "a new text is empty");
    world.expect_ok(made->set(kNextText), "the next writer writes at once");
}

// Whoever held it still has it under its name, whole.
void expect_held_is_found(World& world, const char* name) {
    auto opened = world.timed([&] { return Section::open(name, {}, *world.context); });
    if (!world.expect_ok(opened, "a held section is found at once")) return;
    const auto held = world.held.info();
    const auto found = opened->info();
    world.expect(held && found && held->inode == found->inode, "the held section is the one that is found");
    expect_whole(world, *opened, kSize, kSize);
}

void inspect_held(World& world, bool) {
    expect_held_is_found(world, kName);
    world.held.close();
    world.expect(!is_there(world), "it is gone with its last holder");
    expect_can_be_made(world);
}

void inspect_kept(World& world, bool) {
    auto opened = world.timed([&] { return Section::open(kName, {}, *world.context); });
    if (!world.expect_ok(opened, "a kept section is found at once")) return;
    expect_whole(world, *opened, kSize, kSize);
    opened->close();
    world.expect(is_there(world), "a kept section stays");
}

void inspect_grown(World& world, bool completed) {
    auto opened = world.timed([&] { return Section::open(kName, {}, *world.context); });
    if (!world.expect_ok(opened, "a growing section is found at once")) return;
    const auto size = opened->size_bytes();
    if (!world.expect_ok(size, "a growing section has a size")) return;
    world.expect(*size == kGrownSize || (*size == kSize && !completed), "it has the old or the new size, not " + std::to_string(*size));
    expect_whole(world, *opened, *size, kSize);
    world.expect_ok(opened->grow(2 * kGrownSize), "the next process grows it at once");
    expect_whole(world, *opened, 2 * kGrownSize, kSize);
}

void inspect_keeping(World& world, bool completed) {
    const bool was_there = is_there(world);
    auto opened = world.timed([&] { return Section::open(kName, {}, *world.context); });
    if (completed) world.expect(was_there && opened, "it is kept");
    if (opened) expect_whole(world, *opened, kSize, 0);
    else world.expect(opened.error().code == Code::not_found, "it is kept or gone: " + opened.error().message);
    if (opened) world.expect_ok(opened->set_keep(false), "the next process lets it end");
    if (opened) opened->close();
    expect_can_be_made(world);
}

// The text has the old or the new value, and the next writer writes at once.
void expect_text(World& world, const Text& text, const std::string& new_value, bool completed) {
    const auto value = text.get();
    if (!world.expect_ok(value, "the text is whole")) return;
    const bool is_new = value->value == new_value;
    world.expect(is_new || (value->value == kOldText && !completed), "the text is the old or the new one");
    const auto written = world.timed([&] { return text.set(kNextText); });
    if (!world.expect_ok(written, "the next writer writes at once")) return;
    world.expect(*written == value->version + 1, "the next version is the next number");
    const auto next = text.get();
    world.expect(next && next->value == kNextText && next->version == *written, "the next writer's text is there");
}

void inspect_set_value(World& world, const std::string& new_value, bool completed) {
    const auto seen = world.held_text.get();
    world.expect(seen && (seen->value == kOldText || seen->value == new_value), "who had it open reads the old or the new text");
    auto opened = world.timed([&] { return Text::open(kName, {}, *world.context); });
    if (world.expect_ok(opened, "the text is found at once")) expect_text(world, *opened, new_value, completed);
}

void inspect_set(World& world, bool completed) { inspect_set_value(world, kNewText, completed); }
void inspect_append(World& world, bool completed) { inspect_set_value(world, kOldText + kAdded, completed); }

void inspect_put(World& world, bool completed) {
    auto opened = world.timed([&] { return Text::open(kName, {}, *world.context); });
    if (!world.expect_ok(opened, "the kept text is found at once")) return;
    expect_text(world, *opened, kNewText, completed);
    opened->close();
    world.expect(is_there(world), "the kept text stays");
}

void inspect_put_new(World& world, bool completed) {
    const auto before = Text::open(kName, {}, *world.context);
    world.expect(before || (before.error().code == Code::not_found && !completed),
                 "the text is there or not: " + (before ? "" : before.error().message));
    if (const auto value = before ? before->get() : TextValue{}; world.expect_ok(value, "the text is whole"))
        world.expect(value->value == kNewText || (value->value.empty() && !completed), "the text is empty or the new one");
    auto next = world.timed([&] { return Text::open_or_create(kName, {}, *world.context); });
    if (!world.expect_ok(next, "the next process has the text at once")) return;
    world.expect_ok(next->set(kNextText), "the next writer writes at once");
}

void inspect_held_text(World& world, bool) {
    const auto seen = world.held_text.get();
    world.expect(seen && seen->value == kOldText, "its text is as it was");
    world.expect_ok(Text::open(kName, {}, *world.context), "the held text is found");
    world.held_text.close();
    world.expect(!is_there(world), "it is gone with its last holder");
}

void inspect_removed(World& world, bool completed) {
    auto opened = world.timed([&] { return Section::open(kName, {}, *world.context); });
    world.expect(opened ? !completed : opened.error().code == Code::not_found,
                 "what is being removed is there or not: " + (opened ? "" : opened.error().message));
    if (opened) {
        expect_whole(world, *opened, kSize, kSize);
        opened->close();
        world.expect(is_there(world), "it is kept until it is removed");
        world.expect_ok(world.context->remove(kName), "the next process removes it");
    }
    expect_can_be_made(world);
}

// rm of a held and kept section takes the keeping away, nothing else.
void inspect_let_end(World& world, bool completed) {
    expect_held_is_found(world, kName);
    const auto info = world.held.info();
    if (!world.expect_ok(info, "the held section can be asked")) return;
    world.expect(!info->keep || !completed, "it is kept no more");
    world.held.close();
    world.expect(is_there(world) == info->keep, "it stays if it is kept, and is gone if not");
    if (info->keep) world.expect_ok(world.context->remove(kName), "the next process removes it");
    expect_can_be_made(world);
}

void inspect_collected(World& world, bool completed) {
    expect_held_is_found(world, "held");
    auto text = Text::open(kName, {}, *world.context);
    const auto value = text ? text->get() : Result<TextValue>(tl::unexpected<Error>(text.error()));
    world.expect(value && value->value == kOldText, "the kept text is there and whole");
    if (text) text->close();
    if (completed) world.expect(world.file_names().size() == 2, "nothing dead is left");
    auto next = world.timed([&] { return Section::create(kDeadNames[1], kSize, {}, *world.context); });
    if (world.expect_ok(next, "a dead one's name can be taken at once")) next->close();
    world.expect_ok(world.context->collect(Scope::local), "the next gc works");
    world.expect(world.file_names() == std::set<std::string>{"held", kName}, "the next gc leaves what is held and what is kept");
}

}  // namespace

const std::vector<Operation>& operations() {
    static const std::vector<Operation> all = {
        {"create", arrange_nothing, prepare_nothing, create, inspect_new},
        {"create_over_dead", arrange_dead, prepare_nothing, create, inspect_new},
        {"create_kept", arrange_nothing, prepare_nothing, create_kept, inspect_new_kept},
        {"create_lazy", arrange_nothing, prepare_nothing, create_lazy, inspect_new},
        {"create_over_file", arrange_body_file, prepare_nothing, create_over_file, inspect_new_over_file},
        {"create_text", arrange_nothing, prepare_nothing, create_text, inspect_new_text},
        {"open_held", arrange_held, prepare_nothing, open, inspect_held},
        {"open_kept", arrange_kept, prepare_nothing, open, inspect_kept},
        {"open_dead", arrange_dead, prepare_nothing, open_dead, inspect_new},
        {"open_or_create_new", arrange_nothing, prepare_nothing, open_or_create, inspect_new},
        {"open_or_create_dead", arrange_dead, prepare_nothing, open_or_create, inspect_new},
        {"open_or_create_held", arrange_held, prepare_nothing, open_or_create, inspect_held},
        {"put_new", arrange_nothing, prepare_nothing, put, inspect_put_new},
        {"put", arrange_kept_text, prepare_nothing, put, inspect_put},
        {"set_first", arrange_held_text, prepare_text, set, inspect_set},
        {"set", arrange_held_text, prepare_writer, set, inspect_set},
        {"append", arrange_held_text, prepare_writer, append, inspect_append},
        {"grow", arrange_kept, prepare_open, grow, inspect_grown},
        {"grow_over_file", arrange_kept_over_file, prepare_open, grow, inspect_grown},
        {"keep", arrange_nothing, prepare_create_and_view, keep, inspect_keeping},
        {"close_last", arrange_nothing, prepare_create_and_view, close, inspect_new},
        {"close_one_of_two", arrange_held, prepare_open_and_view, close, inspect_held},
        {"close_kept", arrange_kept, prepare_open_and_view, close, inspect_kept},
        {"close_text", arrange_held_text, prepare_writer, close_text, inspect_held_text},
        {"rm_kept", arrange_kept, prepare_nothing, remove, inspect_removed},
        {"rm_held", arrange_held, prepare_nothing, remove, inspect_held},
        {"rm_held_and_kept", arrange_held_and_kept, prepare_nothing, remove, inspect_let_end},
        {"rm_dead", arrange_dead, prepare_nothing, remove_dead, inspect_new},
        {"gc", arrange_dead_and_living, prepare_nothing, collect, inspect_collected},
        {"janitor", arrange_dead_and_living, prepare_nothing, collect_files, inspect_collected},
    };
    return all;
}

namespace {

bool janitor_is_done(World& world) {
    const bool holder_is_left = world.file_names().size() == 1 && world.holder >= 0;
    if (holder_is_left) world.kill_holder();  // the janitor must notice
    return world.holder < 0 && world.file_names().empty();
}

void inspect_after_janitor(World& world, bool completed) {
    if (completed) world.expect(world.file_names().empty(), "the janitor leaves nothing dead");
    world.kill_holder();
    expect_can_be_made(world);
    auto next = Section::create(kDeadNames[1], kSize, {}, *world.context);
    if (world.expect_ok(next, "a dead one's name can be taken at once")) next->close();
}

}  // namespace

const std::vector<ToolOperation>& tool_operations() {
    static const std::vector<ToolOperation> all = {
        {"comap put, new", {"put", kName, kNewText}, arrange_nothing, inspect_put_new, nullptr},
        {"comap put", {"put", kName, kNewText}, arrange_kept_text, inspect_put, nullptr},
        {"comap rm", {"rm", kName}, arrange_kept, inspect_removed, nullptr},
        {"comap gc", {"gc"}, arrange_dead_and_living, inspect_collected, nullptr},
        {"comap janitor", {"janitor"}, arrange_for_janitor, inspect_after_janitor, janitor_is_done},
    };
    return all;
}

}  // namespace comap::crash
