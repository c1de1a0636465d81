// SPDX-License-Identifier: Apache-2.0
#include "contents.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/queue.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>
#include <fmt/format.h>

#include "checksum.hpp"
#include "exit.hpp"
#include "kinds.hpp"
#include "opened.hpp"
#include "progress.hpp"
#include "streams.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::uint64_t kNoMoreItems = UINT64_MAX;

std::string_view view_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

tl::unexpected<Error> wrong(Code code, std::string message) { return tl::unexpected(Error{code, 0, "", std::move(message)}); }

template <typename T>
Result<void> void_of(const Result<T>& result) {
    if (!result) return tl::unexpected(result.error());
    return {};
}

// ---- writing

class ItemWriter {
  public:
    explicit ItemWriter(DataWriter& file) : file_(file) {}

    Result<void> add(std::string_view bytes) {
        if (auto done = begin(bytes.size()); !done) return done;
        if (auto done = part(bytes); !done) return done;
        return end();
    }

    // An item in parts.
    Result<void> begin(std::uint64_t size_bytes) {
        std::string head;
        append_number(head, size_bytes, 8);
        check_ = crc32(head);
        ++count_;
        return file_.write(head);
    }
    Result<void> part(std::string_view bytes) {
        check_ = crc32(bytes, check_);
        return file_.write(bytes);
    }
    Result<void> end() {
        std::string check;
        append_number(check, check_, 4);
        return file_.write(check);
    }

    Result<void> finish() {
        std::string tail;
        append_number(tail, kNoMoreItems, 8);
        append_number(tail, count_, 8);
        append_number(tail, crc32(tail), 4);
        if (auto done = file_.write(tail); !done) return done;
        return file_.flush();
    }

  private:
    DataWriter& file_;
    std::uint32_t check_ = 0;
    std::uint64_t count_ = 0;
};

std::uint64_t unix_ns() { return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()); }

Json header_of(const std::string& name, const ObjectInfo& info) {
    Json header = {{"name", name}, {"kind", kind_name(info.kind)}};
    if (is_section(info)) header["layout"] = layout_name(info.layout);
    header.update({{"mode", info.mode}, {"keep", info.keep}, {"created_ns", info.created_ns}, {"dumped_ns", unix_ns()}});
    return header;
}

// The bytes are shared and may change while they are written: each part is copied once.
Result<void> write_items(ItemWriter& items, const Section& section) {
    const auto view = section.view({.protection = Protection::read_only});
    if (!view) return tl::unexpected(view.error());
    Progress progress(view->size());
    if (auto done = items.begin(view->size()); !done) return done;
    std::string chunk;
    for (std::size_t at = 0; at < view->size(); at += chunk.size()) {
        chunk.resize(std::min(kChunkBytes, view->size() - at));
        std::memcpy(chunk.data(), view->data() + at, chunk.size());
        if (auto done = items.part(chunk); !done) return done;
        progress.add(chunk.size());
    }
    return items.end();
}

Result<void> write_items(ItemWriter& items, const Text& text) {
    const auto value = text.get();
    return value ? items.add(value->value) : tl::unexpected(value.error());
}

// A cell that was never stored has no value but zeros.
Result<void> write_items(ItemWriter& items, const RawCell& cell) {
    std::vector<std::byte> record(static_cast<std::size_t>(cell.type().size_bytes()));
    const auto version = cell.load(record);
    if (!version) return tl::unexpected(version.error());
    return *version == 0 ? Result<void>() : items.add(view_of(record));
}

// What is kept, up to what was published when we began.
Result<void> write_items(ItemWriter& items, const RawChannel& channel) {
    const auto published = channel.published();
    if (!published) return tl::unexpected(published.error());
    auto subscription = channel.subscribe(From::oldest);
    if (!subscription) return tl::unexpected(subscription.error());
    std::vector<std::byte> buffer(channel.message_bytes());
    while (subscription->number() < *published) {
        const auto received = subscription->receive(buffer, Deadline::passed());
        if (!received) return tl::unexpected(received.error());
        if (received->end != Reception::message) break;
        if (auto done = items.add(view_of(std::span(buffer).first(received->size_bytes))); !done) return done;
    }
    return {};
}

void add_shape(Json& header, const ObjectInfo& info, const Section&) {
    header["size_bytes"] = info.size_bytes;
    if (info.lazy) header["lazy"] = true;
    if (!info.file.empty()) header["file"] = info.file;
}
void add_shape(Json& header, const ObjectInfo& info, const Text&) { header["capacity_bytes"] = info.text_capacity_bytes; }
void add_shape(Json& header, const ObjectInfo&, const RawCell& cell) {
    header.update({{"record_format", cell.type().format()}, {"history", cell.history()}, {"writers", cell.writers()}});
}
void add_shape(Json& header, const ObjectInfo&, const RawChannel& channel) { header.update(shape_of(channel)); }

template <typename Object>
Result<void> write_object(Tool& tool, const std::string& name, const std::string& path, const Object& object) {
    const auto info = object.info();
    if (!info) return tl::unexpected(info.error());
    Json header = header_of(name, *info);
    add_shape(header, *info, object);
    auto file = DataWriter::create(tool.out, path);
    if (!file) return tl::unexpected(file.error());
    if (auto done = file->write_head(kDumpMagic, header); !done) return done;
    ItemWriter items(*file);
    if (auto done = write_items(items, object); !done) return done;
    return items.finish();
}

// There is no looking at the messages of a queue without taking them: those that wait are taken, and given back in their order.
Result<void> write_queue(Tool& tool, const std::string& name, const std::string& path) {
    const auto queue = RawQueue::open(name, {}, tool.context);
    if (!queue) return tl::unexpected(queue.error());
    const auto info = queue->info();
    if (!info) return tl::unexpected(info.error());
    Json header = header_of(name, *info);
    header.update({{"record_format", queue->type().format()}, {"message_bytes", queue->message_bytes()}, {"capacity", queue->capacity()}});
    auto file = DataWriter::create(tool.out, path);
    if (!file) return tl::unexpected(file.error());
    if (auto done = file->write_head(kDumpMagic, header); !done) return done;
    const auto counts = queue->counts();
    if (!counts) return tl::unexpected(counts.error());
    std::vector<Item> taken;
    while (taken.size() < counts->waiting) {
        auto item = queue->take(Deadline::passed());
        if (!item) return tl::unexpected(item.error());
        if (!*item) break;
        taken.push_back(std::move(*item));
    }
    ItemWriter items(*file);
    for (const auto& item : taken)
        if (auto done = items.add(view_of(item.bytes())); !done) return done;
    for (auto& item : taken)
        if (auto done = item.give_back(); !done) return done;
    return items.finish();
}

Result<void> write_sync(Tool& tool, const std::string& name, const std::string& path, const ObjectInfo& info) {
    Json header = header_of(name, info);
    if (info.kind == Kind::event) header.update({{"manual", info.is_manual}, {"set", info.is_set}});
    if (info.kind == Kind::semaphore) header.update({{"count", info.count}, {"maximum", info.maximum}});
    auto file = DataWriter::create(tool.out, path);
    if (!file) return tl::unexpected(file.error());
    if (auto done = file->write_head(kDumpMagic, header); !done) return done;
    return ItemWriter(*file).finish();
}

// ---- reading

// Exactly so many bytes; grows with what is there, not with what a damaged file says.
Result<bool> read_exactly(DataReader& file, std::uint64_t size_bytes, std::string& bytes, Progress& progress) {
    while (bytes.size() < size_bytes) {
        const auto part = file.read(std::min<std::uint64_t>(kChunkBytes, size_bytes - bytes.size()));
        if (!part) return tl::unexpected(part.error());
        if (part->empty()) return false;
        bytes += *part;
        progress.add(part->size());
    }
    return true;
}

// Nothing: that was the end, and all is there.
Result<std::optional<std::string>> read_item(DataReader& file, std::uint64_t count, Progress& progress) {
    constexpr std::string_view kCutOff = "is cut off: the end of the dump is missing; nothing was made of it";
    const auto head = file.read(8);
    if (!head) return tl::unexpected(head.error());
    if (head->size() < 8) return file.corrupt(kCutOff);
    std::string start(*head);
    const auto size = number_in(start, 0, 8);
    const bool is_last = size == kNoMoreItems;
    std::string bytes;
    const auto is_there = read_exactly(file, is_last ? 8 : size, bytes, progress);
    if (!is_there) return tl::unexpected(is_there.error());
    const auto tail = file.read(4);
    if (!tail) return tl::unexpected(tail.error());
    if (!*is_there || tail->size() < 4) return file.corrupt(kCutOff);
    if (number_in(*tail, 0, 4) != crc32(bytes, crc32(start))) return file.corrupt("is damaged: a checksum in it is wrong; nothing was made of it");
    if (!is_last) return std::optional(std::move(bytes));
    if (number_in(bytes, 0, 8) != count) return file.corrupt("is damaged: a part of it is missing; nothing was made of it");
    return std::nullopt;
}

// ---- making

bool is_of(const Dump& dump, std::string_view kind, std::string_view layout = {}) { return text_of(dump.header, "kind") == kind && text_of(dump.header, "layout") == layout; }

std::string description(const Dump& dump) {
    const auto layout = text_of(dump.header, "layout");
    return layout.empty() || layout == "bytes" ? text_of(dump.header, "kind") : layout;
}

Result<std::uint32_t> number32(const Dump& dump, const char* key) {
    const auto number = number_of(dump.header, key);
    if (number > UINT32_MAX) return wrong(Code::invalid_argument, fmt::format("the dump says {} for {}, which cannot be", number, key));
    return static_cast<std::uint32_t>(number);
}

template <typename Object>
Result<std::shared_ptr<void>> held(Object&& object) {
    return std::shared_ptr<void>(std::make_shared<std::decay_t<Object>>(std::forward<Object>(object)));
}

// An object that is filled after it was made stays only when it is full.
template <typename Object, typename Fill>
Result<std::shared_ptr<void>> filled(Result<Object> object, const LoadOptions& options, const Fill& fill) {
    if (!object) return tl::unexpected(object.error());
    if (auto done = fill(*object); !done) return tl::unexpected(done.error());
    if (options.keep)
        if (auto kept = object->set_keep(true); !kept) return tl::unexpected(kept.error());
    return held(std::move(*object));
}

Result<void> publish_all(const RawChannel& channel, const Dump& dump) {
    for (const auto& item : dump.items) {
        const auto sent = channel.publish(item);
        if (!sent) return tl::unexpected(sent.error());
        if (*sent != Sent::sent) return wrong(Code::busy, fmt::format("a message for {} had to wait too long, for room or for others", channel.name()));
    }
    return {};
}

Result<void> push_all(const RawQueue& queue, const Dump& dump) {
    for (const auto& item : dump.items) {
        const auto sent = queue.push(item);
        if (!sent) return tl::unexpected(sent.error());
        if (*sent != Sent::sent) return wrong(Code::busy, fmt::format("{} has no room for all messages of the dump", queue.name()));
    }
    return {};
}

Result<void> set_text(const Text& text, const Dump& dump) { return dump.items.empty() ? Result<void>() : void_of(text.set(dump.items[0])); }
Result<void> store_cell(const RawCell& cell, const Dump& dump) { return dump.items.empty() ? Result<void>() : void_of(cell.store(bytes_of(dump.items[0]))); }

// For as many of the longest messages as it had, and for all that it has.
std::uint64_t room_for(const Dump& dump, std::uint64_t message_bytes) {
    std::uint64_t sum = 0;
    for (const auto& item : dump.items) sum += frame_bytes(message_bytes, item.size());
    const std::uint64_t longest = frame_bytes(message_bytes, message_bytes);
    return std::max({number_of(dump.header, "capacity"), (sum + longest - 1) / longest, std::uint64_t{1}});
}

Result<std::shared_ptr<void>> make_channel(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    auto shaped = shaped_options(dump.header);
    if (!shaped) return tl::unexpected(shaped.error());
    shaped->channel.mode = options.mode;
    shaped->channel.capacity = room_for(dump, shaped->channel.message_bytes);
    auto channel = shaped->type.size_bytes() == 0 ? RawChannel::create(name, shaped->channel, tool.context) : RawChannel::create(name, shaped->type, shaped->channel, tool.context);
    return filled(std::move(channel), options, [&](const RawChannel& made) {
        auto done = publish_all(made, dump);
        if (done) made.give_up_role();
        return done;
    });
}

Result<std::shared_ptr<void>> make_queue(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    auto shaped = shaped_options(dump.header);
    if (!shaped) return tl::unexpected(shaped.error());
    QueueOptions queue;
    queue.message_bytes = shaped->channel.message_bytes;
    queue.capacity = room_for(dump, queue.message_bytes);
    queue.mode = options.mode;
    auto made = shaped->type.size_bytes() == 0 ? RawQueue::create(name, queue, tool.context) : RawQueue::create(name, shaped->type, queue, tool.context);
    return filled(std::move(made), options, [&](const RawQueue& object) { return push_all(object, dump); });
}

Result<std::shared_ptr<void>> make_section(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    CreateOptions create;
    create.mode = options.mode;
    create.keep = options.keep;
    create.lazy = flag_of(dump.header, "lazy");
    if (!dump.items.empty()) create.initial = bytes_of(dump.items[0]);
    auto section = Section::create(name, number_of(dump.header, "size_bytes"), create, tool.context);
    if (!section) return tl::unexpected(section.error());
    return held(std::move(*section));
}

Result<std::shared_ptr<void>> make_cell(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    const auto type = RecordType::parse(text_of(dump.header, "record_format"));
    const auto history = number32(dump, "history");
    const auto writers = number32(dump, "writers");
    if (!type) return tl::unexpected(type.error());
    if (!history) return tl::unexpected(history.error());
    if (!writers) return tl::unexpected(writers.error());
    CellOptions cell;
    cell.history = *history;
    cell.writers = *writers;
    cell.mode = options.mode;
    return filled(RawCell::create(name, *type, cell, tool.context), options, [&](const RawCell& made) {
        auto done = store_cell(made, dump);
        if (done) made.give_up_role();
        return done;
    });
}

Result<std::shared_ptr<void>> make_text(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    const auto capacity_bytes = number32(dump, "capacity_bytes");
    if (!capacity_bytes) return tl::unexpected(capacity_bytes.error());
    return filled(Text::create(name, {.capacity_bytes = *capacity_bytes, .mode = options.mode, .keep = false}, tool.context), options, [&](const Text& text) { return set_text(text, dump); });
}

template <typename Object>
Result<std::shared_ptr<void>> made(Result<Object> object) {
    if (!object) return tl::unexpected(object.error());
    return held(std::move(*object));
}

Result<std::shared_ptr<void>> make_semaphore(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    const auto count = number32(dump, "count");
    const auto maximum = number32(dump, "maximum");
    if (!count) return tl::unexpected(count.error());
    if (!maximum) return tl::unexpected(maximum.error());
    return made(Semaphore::create(name, {.initial = *count, .maximum = *maximum, .mode = options.mode, .keep = options.keep}, tool.context));
}

Result<std::shared_ptr<void>> make_event(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    return made(Event::create(name, {.reset = flag_of(dump.header, "manual") ? Reset::manual : Reset::automatic, .initially_set = flag_of(dump.header, "set"), .mode = options.mode, .keep = options.keep}, tool.context));
}

// ---- putting into what is there

template <typename Object, typename Put>
Result<void> with(Result<Object> object, const Put& put) {
    if (!object) return tl::unexpected(object.error());
    return put(*object);
}

Result<void> put_section(Section& section, const Dump& dump) {
    const auto wanted = number_of(dump.header, "size_bytes");
    const auto size_bytes = section.size_bytes();
    if (!size_bytes) return tl::unexpected(size_bytes.error());
    if (*size_bytes < wanted)
        if (auto grown = section.grow(wanted); !grown) return grown;
    const auto view = section.view();
    if (!view) return tl::unexpected(view.error());
    const std::string_view bytes = dump.items.empty() ? std::string_view() : std::string_view(dump.items[0]);
    const auto count = std::min(bytes.size(), view->size());
    std::memcpy(view->data(), bytes.data(), count);
    std::memset(view->data() + count, 0, view->size() - count);
    return section.publish();
}

Result<void> put_event(const Event& event, const Dump& dump) { return flag_of(dump.header, "set") ? event.set() : event.reset(); }

Result<void> put_semaphore(const Semaphore& semaphore, const Dump& dump) {
    const auto wanted = number_of(dump.header, "count");
    for (;;) {
        const auto count = semaphore.count();
        if (!count) return tl::unexpected(count.error());
        if (*count == wanted) return {};
        if (*count < wanted) return void_of(semaphore.release(static_cast<std::int64_t>(wanted - *count)));
        const auto acquired = semaphore.acquire(Deadline::passed());
        if (!acquired) return tl::unexpected(acquired.error());
    }
}

Result<void> put_queue(const RawQueue& queue, const Dump& dump) {
    std::vector<std::byte> buffer(queue.message_bytes());
    for (;;) {
        const auto popped = queue.pop(buffer, Deadline::passed());
        if (!popped) return tl::unexpected(popped.error());
        if (popped->end == Reception::timed_out) return push_all(queue, dump);
    }
}

tl::unexpected<Error> unknown(const Dump& dump) {
    return wrong(Code::unsupported, fmt::format("the dump is of a {}, of which this program knows nothing", description(dump)));
}

}  // namespace

Result<void> write_dump(Tool& tool, const std::string& name, const std::string& path) {
    const auto info = tool.context.stat(name);
    if (!info) return tl::unexpected(info.error());
    if (!is_section(*info)) return write_sync(tool, name, path, *info);
    if (info->layout == Layout::queue) return write_queue(tool, name, path);
    const auto opened = open_to_read(tool, name, "");
    if (!opened) return tl::unexpected(opened.error());
    return std::visit([&](const auto& object) { return write_object(tool, name, path, object); }, *opened);
}

Result<Dump> read_dump(const std::string& path) {
    auto file = DataReader::open(path);
    if (!file) return tl::unexpected(file.error());
    auto header = file->read_head(kDumpMagic);
    if (!header) return tl::unexpected(header.error());
    Progress progress(number_of(*header, "size_bytes"));
    Dump dump;
    dump.header = std::move(*header);
    for (;;) {
        auto item = read_item(*file, dump.items.size(), progress);
        if (!item) return tl::unexpected(item.error());
        if (!*item) return dump;
        dump.items.push_back(std::move(**item));
    }
}

Result<std::shared_ptr<void>> make_of(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options) {
    if (is_of(dump, "section", "bytes")) return make_section(tool, name, dump, options);
    if (is_of(dump, "section", "text")) return make_text(tool, name, dump, options);
    if (is_of(dump, "section", "cell")) return make_cell(tool, name, dump, options);
    if (is_of(dump, "section", "channel")) return make_channel(tool, name, dump, options);
    if (is_of(dump, "section", "queue")) return make_queue(tool, name, dump, options);
    if (is_of(dump, "mutex")) return made(Mutex::create(name, {.mode = options.mode, .keep = options.keep}, tool.context));
    if (is_of(dump, "event")) return make_event(tool, name, dump, options);
    if (is_of(dump, "semaphore")) return make_semaphore(tool, name, dump, options);
    return unknown(dump);
}

Result<void> put_into(Tool& tool, const std::string& name, const Dump& dump) {
    Context& context = tool.context;
    if (is_of(dump, "section", "bytes")) {
        const auto info = context.stat(name);
        if (!info) return tl::unexpected(info.error());
        if (info->layout != Layout::bytes)
            return tl::unexpected(Error{Code::layout_mismatch, 0, name, fmt::format("{} is a {}, and the dump is of a section of bytes", name, layout_name(info->layout))});
        return with(Section::open(name, {}, context), [&](Section& section) { return put_section(section, dump); });
    }
    if (is_of(dump, "section", "text")) return with(Text::open(name, {}, context), [&](const Text& text) { return set_text(text, dump); });
    if (is_of(dump, "section", "cell")) {
        const auto type = RecordType::parse(text_of(dump.header, "record_format"));
        if (!type) return tl::unexpected(type.error());
        return with(RawCell::open(name, *type, {}, context), [&](const RawCell& cell) { return store_cell(cell, dump); });
    }
    if (is_of(dump, "section", "channel") || is_of(dump, "section", "queue")) {
        const auto shaped = shaped_options(dump.header);
        if (!shaped) return tl::unexpected(shaped.error());
        const auto& type = shaped->type;
        const bool is_any = type.size_bytes() == 0;
        if (is_of(dump, "section", "channel"))
            return with(is_any ? RawChannel::open(name, {}, context) : RawChannel::open(name, type, {}, context), [&](const RawChannel& channel) { return publish_all(channel, dump); });
        return with(is_any ? RawQueue::open(name, {}, context) : RawQueue::open(name, type, {}, context), [&](const RawQueue& queue) { return put_queue(queue, dump); });
    }
    if (is_of(dump, "mutex")) return with(Mutex::open(name, {}, context), [](const Mutex&) { return Result<void>(); });
    if (is_of(dump, "event")) return with(Event::open(name, {}, context), [&](const Event& event) { return put_event(event, dump); });
    if (is_of(dump, "semaphore")) return with(Semaphore::open(name, {}, context), [&](const Semaphore& semaphore) { return put_semaphore(semaphore, dump); });
    return unknown(dump);
}

}  // namespace comap::tool
