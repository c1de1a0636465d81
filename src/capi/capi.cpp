// SPDX-License-Identifier: Apache-2.0
// The C ABI: check arguments, call, translate the error. Nothing else.
#include "capi/capi.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

struct comap_section {
    comap::Section section;
};
struct comap_view {
    comap::View view;
};
struct comap_text {
    comap::Text text;
};
struct comap_watcher {
    comap::Watcher watcher;
};
struct comap_cell {
    comap::RawCell cell;
};
struct comap_mutex {
    comap::Mutex handle;
};
struct comap_event {
    comap::Event handle;
};
struct comap_semaphore {
    comap::Semaphore handle;
};

namespace {

using namespace comap::capi;
using comap::Code;
using comap::Error;
using comap::Result;

Error& last_error() {
    static thread_local Error error;
    return error;
}

comap::CreateOptions create_options(const comap_create_options* given) {
    const comap_create_options from = complete(given, comap_create_options COMAP_CREATE_OPTIONS_INIT);
    comap::CreateOptions options;
    options.mode = from.mode;
    options.keep = from.keep != 0;
    options.lazy = from.lazy != 0;
    options.file = from.file ? from.file : "";
    options.file_offset = from.file_offset;
    options.access = access_of(from.access);
    if (from.initial) options.initial = {static_cast<const std::byte*>(from.initial), from.initial_bytes};
    return options;
}

comap::TextOptions text_options(std::uint32_t capacity_bytes, const comap_create_options* given) {
    const comap_create_options from = complete(given, comap_create_options COMAP_CREATE_OPTIONS_INIT);
    comap::TextOptions options;
    if (capacity_bytes != 0) options.capacity_bytes = capacity_bytes;
    options.mode = from.mode;
    options.keep = from.keep != 0;
    return options;
}

comap::ViewOptions view_options(const comap_view_options* given) {
    const comap_view_options from = complete(given, comap_view_options COMAP_VIEW_OPTIONS_INIT);
    comap::ViewOptions options;
    options.offset_bytes = from.offset;
    options.size_bytes = from.size;
    options.prefault = from.prefault != 0;
    options.huge_pages = from.huge_pages != 0;
    switch (number_of(from.protection)) {
        case COMAP_VIEW_AS_OPENED:
            break;
        case COMAP_VIEW_READ_ONLY:
            options.protection = comap::Protection::read_only;
            break;
        case COMAP_VIEW_READ_WRITE:
            options.protection = comap::Protection::read_write;
            break;
        case COMAP_VIEW_COPY_ON_WRITE:
            options.protection = comap::Protection::copy_on_write;
            break;
        default:
            throw BadEnum{"comap_protection"};
    }
    return options;
}

comap_wait_end wait_end(comap::Wait end) {
    switch (end) {
        case comap::Wait::changed:
            return COMAP_CHANGED;
        case comap::Wait::timed_out:
            return COMAP_TIMED_OUT;
        case comap::Wait::interrupted:
            return COMAP_INTERRUPTED;
        case comap::Wait::alone:
            return COMAP_ALONE;
    }
    return COMAP_CHANGED;
}

comap::WaitFor wait_for_of(const comap_wait_for& what) {
    switch (number_of(what)) {
        case COMAP_WAIT_CHANGE:
            return comap::WaitFor::change;
        case COMAP_WAIT_CHANGE_OR_ALONE:
            return comap::WaitFor::change_or_alone;
    }
    throw BadEnum{"comap_wait_for"};
}

template <typename Handle>
comap_code wait_on(const Handle& handle, std::uint32_t seen, std::uint64_t deadline_ns, const comap_wait_for& what, comap_wait_end* end) {
    const auto ended = handle.wait(seen, comap::Deadline::at_ns(deadline_ns), wait_for_of(what));
    if (!ended) return report(ended.error());
    *end = wait_end(*ended);
    return COMAP_OK;
}

comap::SyncOptions sync_options(const comap_create_options* given) {
    const comap_create_options from = complete(given, comap_create_options COMAP_CREATE_OPTIONS_INIT);
    return {from.mode, from.keep != 0};
}

comap::EventOptions event_options(int manual_reset, int initially_set, const comap_create_options* given) {
    const comap::SyncOptions common = sync_options(given);
    return {manual_reset != 0 ? comap::Reset::manual : comap::Reset::automatic, initially_set != 0, common.mode, common.keep};
}

comap::SemaphoreOptions semaphore_options(std::uint32_t initial, std::uint32_t maximum, const comap_create_options* given) {
    const comap::SyncOptions common = sync_options(given);
    return {initial, maximum, common.mode, common.keep};
}

comap_wait_end wait_end(comap::Acquired end) {
    switch (end) {
        case comap::Acquired::acquired:
            return COMAP_ACQUIRED;
        case comap::Acquired::acquired_abandoned:
            return COMAP_ACQUIRED_ABANDONED;
        case comap::Acquired::timed_out:
            return COMAP_TIMED_OUT;
        case comap::Acquired::interrupted:
            return COMAP_INTERRUPTED;
    }
    return COMAP_TIMED_OUT;
}

comap_code store_end(const Result<comap::Acquired>& ended, comap_wait_end* end) {
    if (!ended) return report(ended.error());
    *end = wait_end(*ended);
    return COMAP_OK;
}

comap::CellOptions cell_options(const comap_cell_options* given) {
    const comap_cell_options from = complete(given, comap_cell_options COMAP_CELL_OPTIONS_INIT);
    return {from.history, from.writers, from.mode, from.keep != 0};
}

comap::CellOpenOptions cell_open_options(const comap_open_options* given) { return comap::CellOpenOptions{open_options(given)}; }

// Appends the entry that the caller means; false if it is not exactly one.
bool add_waitable(const comap_waitable& given, std::vector<comap::Waitable>& list) {
    const int count = (given.mutex ? 1 : 0) + (given.event ? 1 : 0) + (given.semaphore ? 1 : 0) + (given.section ? 1 : 0) + (given.text ? 1 : 0) +
                      (given.cell ? 1 : 0) + (given.subscription ? 1 : 0) + (given.queue ? 1 : 0);
    if (count != 1) return false;
    if (given.mutex) list.emplace_back(given.mutex->handle);
    if (given.event) list.emplace_back(given.event->handle);
    if (given.semaphore) list.emplace_back(given.semaphore->handle);
    if (given.section) list.emplace_back(given.section->section, given.seen);
    if (given.text) list.emplace_back(given.text->text, given.seen);
    if (given.cell) list.emplace_back(given.cell->cell, given.seen);
    if (given.subscription) list.emplace_back(given.subscription->handle);
    if (given.queue) list.emplace_back(given.queue->handle);
    return true;
}

template <typename Wait>
comap_code wait_for_list(const comap_waitable* given, std::size_t count, comap_wait_end* end, std::size_t* index, const Wait& wait) {
    std::vector<comap::Waitable> list;
    list.reserve(std::min<std::size_t>(count, COMAP_WAIT_MAX + 1));
    for (std::size_t i = 0; i < count && i <= COMAP_WAIT_MAX; ++i)
        if (!add_waitable(given[i], list))
            return report(Error{Code::invalid_argument, 0, "", comap::internal::cat("entry ", i, " of the list to wait for must have exactly one handle")});
    const Result<comap::Waited> waited = wait(std::span<const comap::Waitable>(list));
    if (!waited) return report(waited.error());
    *end = wait_end(waited->end);
    if (index) *index = waited->index;
    return COMAP_OK;
}

// Copies a converted text out; on too_long *length is what is needed.
template <typename Unit, typename String>
comap_code copy_out(const Result<String>& from, Unit* target, std::size_t capacity, std::size_t* length) {
    if (!from) return report(from.error());
    *length = from->size();
    if (from->size() > capacity)
        return report(Error{Code::too_long, 0, "", comap::internal::cat("the converted text has ", from->size(), " units, there is room for ", capacity)});
    if (!from->empty()) std::memcpy(target, from->data(), from->size() * sizeof(Unit));
    return COMAP_OK;
}

}  // namespace

comap_code comap::capi::report(Error error) {
    const auto code = static_cast<comap_code>(error.code);
    last_error() = std::move(error);
    return code;
}

extern "C" {

const char* comap_version_string(void) { return COMAP_VERSION_STRING; }
const char* comap_code_name(comap_code code) { return comap::code_name(static_cast<Code>(code)).data(); }
const char* comap_code_text(comap_code code) { return comap::code_text(static_cast<Code>(code)).data(); }
const char* comap_last_message(void) { return last_error().message.c_str(); }
int comap_last_os_error(void) { return last_error().os_error; }
const char* comap_last_object(void) { return last_error().object.c_str(); }

comap_code comap_context_create(const char* root, comap_context** out) {
    COMAP_NEED(out);
    return guarded([&] {
        *out = new comap_context{comap::Context({.root = root ? root : ""})};
        return COMAP_OK;
    });
}

void comap_context_close(comap_context* context) { delete context; }

comap_code comap_remove(comap_context* context, const char* name, int* gone) {
    COMAP_NEED(name);
    return guarded([&] {
        const auto removed = context_of(context).remove(name);
        if (!removed) return report(removed.error());
        if (gone) *gone = *removed == comap::Removed::gone ? 1 : 0;
        return COMAP_OK;
    });
}

comap_code comap_section_create(comap_context* context, const char* name, uint64_t size_bytes, const comap_create_options* options,
                                comap_section** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Section::create(name, size_bytes, create_options(options), context_of(context)), out); });
}

comap_code comap_section_open(comap_context* context, const char* name, const comap_open_options* options, comap_section** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Section::open(name, open_options(options), context_of(context)), out); });
}

comap_code comap_section_open_or_create(comap_context* context, const char* name, uint64_t size_bytes,
                                        const comap_create_options* options, comap_section** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Section::open_or_create(name, size_bytes, create_options(options), context_of(context)), out); });
}

comap_code comap_section_create_unnamed(uint64_t size_bytes, const comap_create_options* options, comap_section** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Section::create_unnamed(size_bytes, create_options(options)), out); });
}

comap_code comap_section_share_descriptor(const comap_section* section, comap_access access, int* descriptor) {
    COMAP_NEED(section);
    COMAP_NEED(descriptor);
    return guarded([&] { return store(section->section.share_descriptor(access_of(access)), descriptor); });
}

comap_code comap_section_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options,
                                         comap_section** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Section::from_descriptor(descriptor, open_options(options), context_of(context)), out); });
}

const char* comap_section_name(const comap_section* section) { return section ? section->section.name().c_str() : ""; }
int comap_section_was_created(const comap_section* section) { return section && section->section.was_created() ? 1 : 0; }

comap_code comap_section_size(const comap_section* section, uint64_t* size_bytes) {
    COMAP_NEED(section);
    COMAP_NEED(size_bytes);
    return guarded([&] { return store(section->section.size_bytes(), size_bytes); });
}

comap_code comap_section_grow(comap_section* section, uint64_t size_bytes) {
    COMAP_NEED(section);
    return guarded([&] { return done(section->section.grow(size_bytes)); });
}

comap_code comap_section_set_keep(comap_section* section, int keep) {
    COMAP_NEED(section);
    return guarded([&] { return done(section->section.set_keep(keep != 0)); });
}

comap_code comap_section_publish(const comap_section* section) {
    COMAP_NEED(section);
    return guarded([&] { return done(section->section.publish()); });
}

comap_code comap_section_version(const comap_section* section, uint32_t* version) {
    COMAP_NEED(section);
    COMAP_NEED(version);
    return guarded([&] { return store(section->section.version(), version); });
}

comap_code comap_section_wait(const comap_section* section, uint32_t seen, uint64_t deadline_ns, comap_wait_for what,
                              comap_wait_end* end) {
    COMAP_NEED(section);
    COMAP_NEED(end);
    return guarded([&] { return wait_on(section->section, seen, deadline_ns, what, end); });
}

comap_code comap_section_is_only_holder(const comap_section* section, int* only_holder) {
    COMAP_NEED(section);
    COMAP_NEED(only_holder);
    return guarded([&] { return store(section->section.is_only_holder(), only_holder); });
}

void comap_section_close(comap_section* section) { delete section; }

comap_code comap_view_map(const comap_section* section, const comap_view_options* options, comap_view** out) {
    COMAP_NEED(section);
    COMAP_NEED(out);
    return guarded([&] { return give(section->section.view(view_options(options)), out); });
}

void* comap_view_data(const comap_view* view) { return view ? view->view.data() : nullptr; }
size_t comap_view_size(const comap_view* view) { return view ? view->view.size() : 0; }

comap_code comap_view_flush(const comap_view* view, int wait_until_written) {
    COMAP_NEED(view);
    return guarded([&] { return done(view->view.flush(wait_until_written != 0)); });
}

void comap_view_close(comap_view* view) { delete view; }

comap_code comap_text_create(comap_context* context, const char* name, uint32_t capacity_bytes, const comap_create_options* options,
                             comap_text** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Text::create(name, text_options(capacity_bytes, options), context_of(context)), out); });
}

comap_code comap_text_open(comap_context* context, const char* name, const comap_open_options* options, comap_text** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Text::open(name, open_options(options), context_of(context)), out); });
}

comap_code comap_text_open_or_create(comap_context* context, const char* name, uint32_t capacity_bytes,
                                     const comap_create_options* options, comap_text** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Text::open_or_create(name, text_options(capacity_bytes, options), context_of(context)), out); });
}

const char* comap_text_name(const comap_text* text) { return text ? text->text.name().c_str() : ""; }
int comap_text_was_created(const comap_text* text) { return text && text->text.was_created() ? 1 : 0; }
uint32_t comap_text_capacity(const comap_text* text) { return text ? text->text.capacity_bytes() : 0; }

comap_code comap_text_set(const comap_text* text, const char* value, size_t length_bytes, uint32_t* version) {
    COMAP_NEED(text);
    COMAP_NEED(value || length_bytes == 0);
    return guarded([&] { return store(text->text.set({value ? value : "", length_bytes}), version); });
}

comap_code comap_text_append(const comap_text* text, const char* value, size_t length_bytes, uint32_t* version) {
    COMAP_NEED(text);
    COMAP_NEED(value || length_bytes == 0);
    return guarded([&] { return store(text->text.append({value ? value : "", length_bytes}), version); });
}

comap_code comap_text_get(const comap_text* text, char* buffer, size_t buffer_bytes, size_t* length_bytes, uint32_t* version) {
    COMAP_NEED(text);
    COMAP_NEED(buffer || buffer_bytes == 0);
    COMAP_NEED(length_bytes);
    return guarded([&] {
        const auto read = text->text.get(std::span<char>(buffer, buffer_bytes));
        if (read) {
            *length_bytes = read->length_bytes;
            if (version) *version = read->version;
            return COMAP_OK;
        }
        const comap_code code = report(read.error());
        if (code != COMAP_TOO_LONG) return code;
        const auto whole = text->text.get();
        if (!whole) return report(whole.error());
        *length_bytes = whole->value.size();
        return code;
    });
}

comap_code comap_text_version(const comap_text* text, uint32_t* version) {
    COMAP_NEED(text);
    COMAP_NEED(version);
    return guarded([&] { return store(text->text.version(), version); });
}

comap_code comap_text_wait(const comap_text* text, uint32_t seen, uint64_t deadline_ns, comap_wait_for what, comap_wait_end* end) {
    COMAP_NEED(text);
    COMAP_NEED(end);
    return guarded([&] { return wait_on(text->text, seen, deadline_ns, what, end); });
}

comap_code comap_text_set_keep(comap_text* text, int keep) {
    COMAP_NEED(text);
    return guarded([&] { return done(text->text.set_keep(keep != 0)); });
}

void comap_text_close(comap_text* text) { delete text; }

comap_code comap_utf16_from_utf8(const char* utf8, size_t utf8_bytes, uint16_t* utf16, size_t capacity, size_t* length) {
    COMAP_NEED(utf8 || utf8_bytes == 0);
    COMAP_NEED(utf16 || capacity == 0);
    COMAP_NEED(length);
    return guarded([&] { return copy_out(comap::utf16_from_utf8({utf8 ? utf8 : "", utf8_bytes}), utf16, capacity, length); });
}

comap_code comap_utf8_from_utf16(const uint16_t* utf16, size_t utf16_units, char* utf8, size_t capacity, size_t* length) {
    COMAP_NEED(utf16 || utf16_units == 0);
    COMAP_NEED(utf8 || capacity == 0);
    COMAP_NEED(length);
    return guarded([&] {
        std::u16string text(utf16_units, u'\0');
        if (utf16_units > 0) std::memcpy(text.data(), utf16, utf16_units * sizeof(char16_t));
        return copy_out(comap::utf8_from_utf16(text), utf8, capacity, length);
    });
}

comap_code comap_cell_create(comap_context* context, const char* name, const char* format, const comap_cell_options* options, comap_cell** out) {
    COMAP_NEED(name);
    COMAP_NEED(format);
    COMAP_NEED(out);
    return guarded([&] {
        const auto type = comap::RecordType::parse(format);
        return type ? give(comap::RawCell::create(name, *type, cell_options(options), context_of(context)), out) : report(type.error());
    });
}

comap_code comap_cell_open(comap_context* context, const char* name, const char* format, const comap_open_options* options, comap_cell** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] {
        if (!format) return give(comap::RawCell::open(name, cell_open_options(options), context_of(context)), out);
        const auto type = comap::RecordType::parse(format);
        return type ? give(comap::RawCell::open(name, *type, cell_open_options(options), context_of(context)), out) : report(type.error());
    });
}

comap_code comap_cell_open_or_create(comap_context* context, const char* name, const char* format, const comap_cell_options* options,
                                     comap_cell** out) {
    COMAP_NEED(name);
    COMAP_NEED(format);
    COMAP_NEED(out);
    return guarded([&] {
        const auto type = comap::RecordType::parse(format);
        return type ? give(comap::RawCell::open_or_create(name, *type, cell_options(options), context_of(context)), out) : report(type.error());
    });
}

const char* comap_cell_name(const comap_cell* cell) { return cell ? cell->cell.name().c_str() : ""; }
int comap_cell_was_created(const comap_cell* cell) { return cell && cell->cell.was_created() ? 1 : 0; }
const char* comap_cell_format(const comap_cell* cell) { return cell ? cell->cell.type().format().c_str() : ""; }
uint64_t comap_cell_record_size(const comap_cell* cell) { return cell ? cell->cell.type().size_bytes() : 0; }
uint32_t comap_cell_history(const comap_cell* cell) { return cell ? cell->cell.history() : 0; }

comap_code comap_cell_set_keep(comap_cell* cell, int keep) {
    COMAP_NEED(cell);
    return guarded([&] { return done(cell->cell.set_keep(keep != 0)); });
}

comap_code comap_cell_load(const comap_cell* cell, void* value, size_t size_bytes, uint32_t* version) {
    COMAP_NEED(cell);
    COMAP_NEED(value);
    return guarded([&] { return store(cell->cell.load({static_cast<std::byte*>(value), size_bytes}), version); });
}

comap_code comap_cell_load_version(const comap_cell* cell, uint32_t version, void* value, size_t size_bytes) {
    COMAP_NEED(cell);
    COMAP_NEED(value);
    return guarded([&] { return done(cell->cell.load_version(version, {static_cast<std::byte*>(value), size_bytes})); });
}

comap_code comap_cell_store(const comap_cell* cell, const void* value, size_t size_bytes, uint32_t* version) {
    COMAP_NEED(cell);
    COMAP_NEED(value);
    return guarded([&] { return store(cell->cell.store({static_cast<const std::byte*>(value), size_bytes}), version); });
}

void comap_cell_give_up_role(const comap_cell* cell) {
    if (cell) cell->cell.give_up_role();
}

comap_code comap_cell_version(const comap_cell* cell, uint32_t* version) {
    COMAP_NEED(cell);
    COMAP_NEED(version);
    return guarded([&] { return store(cell->cell.version(), version); });
}

comap_code comap_cell_wait(const comap_cell* cell, uint32_t seen, uint64_t deadline_ns, comap_wait_for what, comap_wait_end* end) {
    COMAP_NEED(cell);
    COMAP_NEED(end);
    return guarded([&] { return wait_on(cell->cell, seen, deadline_ns, what, end); });
}

void comap_cell_close(comap_cell* cell) { delete cell; }

// What the three kinds have in common: Class is the C++ class, type the C name between comap_ and the function's.
#define COMAP_SYNC_FUNCTIONS(Class, type)                                                                                                    \
    comap_code comap_##type##_open(comap_context* context, const char* name, const comap_open_options* options, comap_##type** out) {        \
        COMAP_NEED(name);                                                                                                                    \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] { return give(comap::Class::open(name, open_options(options), context_of(context)), out); });                     \
    }                                                                                                                                        \
    comap_code comap_##type##_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options,                     \
                                              comap_##type** out) {                                                                          \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] { return give(comap::Class::from_descriptor(descriptor, open_options(options), context_of(context)), out); });    \
    }                                                                                                                                        \
    comap_code comap_##type##_open_in(const comap_section* section, uint64_t offset, comap_##type** out) {                                   \
        COMAP_NEED(section);                                                                                                                 \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] { return give(comap::Class::open_in(section->section, offset), out); });                                          \
    }                                                                                                                                        \
    comap_code comap_##type##_share_descriptor(const comap_##type* type, comap_access access, int* descriptor) {                             \
        COMAP_NEED(type);                                                                                                                    \
        COMAP_NEED(descriptor);                                                                                                              \
        return guarded([&] { return store(type->handle.share_descriptor(access_of(access)), descriptor); });                                 \
    }                                                                                                                                        \
    const char* comap_##type##_name(const comap_##type* type) { return type ? type->handle.name().c_str() : ""; }                            \
    int comap_##type##_was_created(const comap_##type* type) { return type && type->handle.was_created() ? 1 : 0; }                          \
    comap_code comap_##type##_set_keep(comap_##type* type, int keep) {                                                                       \
        COMAP_NEED(type);                                                                                                                    \
        return guarded([&] { return done(type->handle.set_keep(keep != 0)); });                                                              \
    }                                                                                                                                        \
    void comap_##type##_close(comap_##type* type) { delete type; }

COMAP_SYNC_FUNCTIONS(Mutex, mutex)
COMAP_SYNC_FUNCTIONS(Event, event)
COMAP_SYNC_FUNCTIONS(Semaphore, semaphore)

comap_code comap_mutex_create(comap_context* context, const char* name, const comap_create_options* options, comap_mutex** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Mutex::create(name, sync_options(options), context_of(context)), out); });
}

comap_code comap_mutex_open_or_create(comap_context* context, const char* name, const comap_create_options* options, comap_mutex** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Mutex::open_or_create(name, sync_options(options), context_of(context)), out); });
}

comap_code comap_mutex_create_unnamed(comap_mutex** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Mutex::create_unnamed(), out); });
}

comap_code comap_mutex_create_in(const comap_section* section, uint64_t offset, comap_mutex** out) {
    COMAP_NEED(section);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Mutex::create_in(section->section, offset), out); });
}

comap_code comap_mutex_lock(const comap_mutex* mutex, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(mutex);
    COMAP_NEED(end);
    return guarded([&] { return store_end(mutex->handle.lock(comap::Deadline::at_ns(deadline_ns)), end); });
}

comap_code comap_mutex_unlock(const comap_mutex* mutex, int as_abandoned) {
    COMAP_NEED(mutex);
    return guarded([&] { return done(as_abandoned != 0 ? mutex->handle.unlock_abandoned() : mutex->handle.unlock()); });
}

comap_code comap_mutex_open_or_create_in(const comap_section* section, uint64_t offset, comap_mutex** out) {
    COMAP_NEED(section);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Mutex::open_or_create_in(section->section, offset), out); });
}

int comap_mutex_was_abandoned(const comap_mutex* mutex) { return mutex && mutex->handle.was_abandoned() ? 1 : 0; }
int comap_mutex_is_owned(const comap_mutex* mutex) { return mutex && mutex->handle.is_owned() ? 1 : 0; }

comap_code comap_event_create(comap_context* context, const char* name, int manual_reset, int initially_set, const comap_create_options* options,
                              comap_event** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Event::create(name, event_options(manual_reset, initially_set, options), context_of(context)), out); });
}

comap_code comap_event_open_or_create(comap_context* context, const char* name, int manual_reset, int initially_set, const comap_create_options* options,
                                      comap_event** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Event::open_or_create(name, event_options(manual_reset, initially_set, options), context_of(context)), out); });
}

comap_code comap_event_create_unnamed(int manual_reset, int initially_set, comap_event** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Event::create_unnamed(event_options(manual_reset, initially_set, nullptr)), out); });
}

comap_code comap_event_create_in(const comap_section* section, uint64_t offset, int manual_reset, int initially_set, comap_event** out) {
    COMAP_NEED(section);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Event::create_in(section->section, offset, event_options(manual_reset, initially_set, nullptr)), out); });
}

int comap_event_is_manual(const comap_event* event) { return event && event->handle.reset_kind() == comap::Reset::manual ? 1 : 0; }

comap_code comap_event_set(const comap_event* event) {
    COMAP_NEED(event);
    return guarded([&] { return done(event->handle.set()); });
}

comap_code comap_event_reset(const comap_event* event) {
    COMAP_NEED(event);
    return guarded([&] { return done(event->handle.reset()); });
}

comap_code comap_event_pulse(const comap_event* event) {
    COMAP_NEED(event);
    return guarded([&] { return done(event->handle.pulse()); });
}

comap_code comap_event_is_set(const comap_event* event, int* is_set) {
    COMAP_NEED(event);
    COMAP_NEED(is_set);
    return guarded([&] { return store(event->handle.is_set(), is_set); });
}

comap_code comap_event_wait(const comap_event* event, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(event);
    COMAP_NEED(end);
    return guarded([&] { return store_end(event->handle.wait(comap::Deadline::at_ns(deadline_ns)), end); });
}

comap_code comap_semaphore_create(comap_context* context, const char* name, uint32_t initial, uint32_t maximum, const comap_create_options* options,
                                  comap_semaphore** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Semaphore::create(name, semaphore_options(initial, maximum, options), context_of(context)), out); });
}

comap_code comap_semaphore_open_or_create(comap_context* context, const char* name, uint32_t initial, uint32_t maximum,
                                          const comap_create_options* options, comap_semaphore** out) {
    COMAP_NEED(name);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Semaphore::open_or_create(name, semaphore_options(initial, maximum, options), context_of(context)), out); });
}

comap_code comap_semaphore_create_unnamed(uint32_t initial, uint32_t maximum, comap_semaphore** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Semaphore::create_unnamed(semaphore_options(initial, maximum, nullptr)), out); });
}

comap_code comap_semaphore_create_in(const comap_section* section, uint64_t offset, uint32_t initial, uint32_t maximum, comap_semaphore** out) {
    COMAP_NEED(section);
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Semaphore::create_in(section->section, offset, semaphore_options(initial, maximum, nullptr)), out); });
}

uint32_t comap_semaphore_maximum(const comap_semaphore* semaphore) { return semaphore ? semaphore->handle.maximum() : 0; }

comap_code comap_semaphore_count(const comap_semaphore* semaphore, uint32_t* count) {
    COMAP_NEED(semaphore);
    COMAP_NEED(count);
    return guarded([&] { return store(semaphore->handle.count(), count); });
}

comap_code comap_semaphore_release(const comap_semaphore* semaphore, int64_t count, uint32_t* before) {
    COMAP_NEED(semaphore);
    return guarded([&] { return store(semaphore->handle.release(count), before); });
}

comap_code comap_semaphore_acquire(const comap_semaphore* semaphore, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(semaphore);
    COMAP_NEED(end);
    return guarded([&] { return store_end(semaphore->handle.acquire(comap::Deadline::at_ns(deadline_ns)), end); });
}

comap_code comap_wait_any(const comap_waitable* list, size_t count, uint64_t deadline_ns, comap_wait_end* end, size_t* index) {
    if (!list && count > 0) return guarded([] { return bad_argument("list"); });
    COMAP_NEED(end);
    return guarded([&] {
        return wait_for_list(list, count, end, index, [&](auto objects) { return comap::wait_any(objects, comap::Deadline::at_ns(deadline_ns)); });
    });
}

comap_code comap_wait_all(const comap_waitable* list, size_t count, uint64_t deadline_ns, comap_wait_end* end, size_t* index) {
    if (!list && count > 0) return guarded([] { return bad_argument("list"); });
    COMAP_NEED(end);
    return guarded([&] {
        return wait_for_list(list, count, end, index, [&](auto objects) { return comap::wait_all(objects, comap::Deadline::at_ns(deadline_ns)); });
    });
}

comap_code comap_watcher_create(comap_watcher** out) {
    COMAP_NEED(out);
    return guarded([&] { return give(comap::Watcher::create(), out); });
}

int comap_watcher_descriptor(const comap_watcher* watcher) { return watcher ? watcher->watcher.descriptor() : -1; }

comap_code comap_watcher_add_section(comap_watcher* watcher, const comap_section* section, uint64_t tag, uint32_t seen) {
    COMAP_NEED(watcher);
    COMAP_NEED(section);
    return guarded([&] { return done(watcher->watcher.add(section->section, tag, seen)); });
}

comap_code comap_watcher_add_text(comap_watcher* watcher, const comap_text* text, uint64_t tag, uint32_t seen) {
    COMAP_NEED(watcher);
    COMAP_NEED(text);
    return guarded([&] { return done(watcher->watcher.add(text->text, tag, seen)); });
}

comap_code comap_watcher_add_event(comap_watcher* watcher, const comap_event* event, uint64_t tag) {
    COMAP_NEED(watcher);
    COMAP_NEED(event);
    return guarded([&] { return done(watcher->watcher.add(event->handle, tag)); });
}

comap_code comap_watcher_add_semaphore(comap_watcher* watcher, const comap_semaphore* semaphore, uint64_t tag) {
    COMAP_NEED(watcher);
    COMAP_NEED(semaphore);
    return guarded([&] { return done(watcher->watcher.add(semaphore->handle, tag)); });
}

comap_code comap_watcher_add_cell(comap_watcher* watcher, const comap_cell* cell, uint64_t tag, uint32_t seen) {
    COMAP_NEED(watcher);
    COMAP_NEED(cell);
    return guarded([&] { return done(watcher->watcher.add(cell->cell, tag, seen)); });
}

comap_code comap_watcher_add_subscription(comap_watcher* watcher, comap_subscription* subscription, uint64_t tag) {
    COMAP_NEED(watcher);
    COMAP_NEED(subscription);
    return guarded([&] { return done(watcher->watcher.add(subscription->handle, tag)); });
}

comap_code comap_watcher_add_queue(comap_watcher* watcher, const comap_queue* queue, uint64_t tag) {
    COMAP_NEED(watcher);
    COMAP_NEED(queue);
    return guarded([&] { return done(watcher->watcher.add(queue->handle, tag)); });
}

comap_code comap_watcher_remove(comap_watcher* watcher, uint64_t tag) {
    COMAP_NEED(watcher);
    return guarded([&] { return done(watcher->watcher.remove(tag)); });
}

comap_code comap_watcher_next(comap_watcher* watcher, int* found, uint64_t* tag, uint32_t* version) {
    COMAP_NEED(watcher);
    COMAP_NEED(found);
    return guarded([&] {
        const auto next = watcher->watcher.next();
        if (!next) return report(next.error());
        *found = next->has_value() ? 1 : 0;
        if (*next && tag) *tag = (*next)->tag;
        if (*next && version) *version = (*next)->version;
        return COMAP_OK;
    });
}

void comap_watcher_close(comap_watcher* watcher) { delete watcher; }

}  // extern "C"
