// SPDX-License-Identifier: Apache-2.0
#include "record_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include <comap/text.hpp>
#include <fmt/format.h>

#include "unicode.hpp"

namespace comap::tool {
namespace {

using Fields = std::vector<RecordField>;

tl::unexpected<Error> wrong(std::string message, Code code = Code::invalid_argument) {
    return tl::unexpected(Error{code, 0, "", std::move(message)});
}

// Calls act(T()) with the type of the field's elements. REQUIRES: a number.
template <typename Act>
auto with_number(const RecordField& field, const Act& act) {
    const bool is_signed = field.kind == FieldKind::signed_integer;
    if (field.kind == FieldKind::floating) return field.size_bytes == 4 ? act(float()) : act(double());
    if (field.size_bytes == 1) return is_signed ? act(std::int8_t()) : act(std::uint8_t());
    if (field.size_bytes == 2) return is_signed ? act(std::int16_t()) : act(std::uint16_t());
    if (field.size_bytes == 4) return is_signed ? act(std::int32_t()) : act(std::uint32_t());
    return is_signed ? act(std::int64_t()) : act(std::uint64_t());
}

template <typename T>
std::string number_text(T value) {
    std::array<char, 64> text;
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

template <typename T>
std::string limits_text() {
    const auto range = fmt::format("from {} to {}", number_text(std::numeric_limits<T>::lowest()), number_text(std::numeric_limits<T>::max()));
    return std::is_floating_point_v<T> ? "a number " + range : "a whole number " + range;
}

std::string limits_of(const RecordField& field) {
    switch (field.kind) {
        case FieldKind::boolean: return "true, false, 1 or 0";
        case FieldKind::text: return fmt::format("a text of up to {} bytes of UTF-8", field.size_bytes);
        case FieldKind::record: return "a record";
        default: return with_number(field, [](auto zero) { return limits_text<decltype(zero)>(); });
    }
}

// A long value is not said as a whole.
std::string shortened(std::string_view value) {
    constexpr std::size_t kShownBytesMax = 80;
    if (value.size() <= kShownBytesMax) return std::string(value);
    std::size_t size = kShownBytesMax;
    while (size > 0 && (static_cast<unsigned char>(value[size]) & 0xc0) == 0x80) --size;
    return fmt::format("{}...", value.substr(0, size));
}

tl::unexpected<Error> cannot_be(const RecordPlace& place, std::string_view value) {
    const std::string type = type_text(*place.field);
    return wrong(fmt::format("the field '{}' cannot be '{}': it is {}, {}", place.path, shortened(value), type.substr(0, type.find('[')), limits_of(*place.field)));
}

tl::unexpected<Error> wrong_count(const RecordPlace& place, std::size_t count) {
    return wrong(fmt::format("the field '{}' cannot be a list of {}: it is {} with {} elements", place.path, count, type_text(*place.field), place.shape.front()));
}

std::string path_of(std::string_view in, std::string_view name) { return in.empty() ? std::string(name) : fmt::format("{}.{}", in, name); }

std::string names_of(const Fields& fields) {
    std::vector<std::string_view> names;
    for (const RecordField& field : fields) names.push_back(field.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

const RecordField* find_field(const Fields& fields, std::string_view name) {
    for (const RecordField& field : fields)
        if (field.name == name) return &field;
    return nullptr;
}

tl::unexpected<Error> no_field(std::string_view path, const Fields& fields) {
    return wrong(fmt::format("there is no field '{}'; the fields are {}", path, names_of(fields)));
}

RecordPlace place_of(const RecordField& field, std::string_view in, std::uint64_t offset_bytes) {
    return {path_of(in, field.name), &field, offset_bytes + field.offset_bytes, field.shape};
}

// The i-th part along the first dimension.
RecordPlace part_of(const RecordPlace& place, std::uint64_t i) {
    RecordPlace part = {place.path, place.field, place.offset_bytes, {place.shape.begin() + 1, place.shape.end()}};
    part.offset_bytes += i * part.size_bytes();
    return part;
}

std::string index_text(const RecordPlace& place, std::uint64_t index) {
    std::string text;
    std::uint64_t rest = place.count();
    for (const std::uint32_t length : place.shape) {
        rest /= length;
        text += fmt::format("{}{}", text.empty() ? "" : ",", index / rest % length);
    }
    return text;
}

// "[1,2]" at the front of `rest`, which is the same as "[1][2]", picks elements of the place.
Result<RecordPlace> indexed(RecordPlace place, std::string_view& rest, std::string_view path) {
    const auto end = rest.find(']');
    if (end == rest.npos) return wrong(fmt::format("'{}' has a [ without a ]", path));
    const char* at = rest.data() + 1;
    const char* const last = rest.data() + end;
    do {
        std::uint32_t index = 0;
        const auto [stop, error] = std::from_chars(at, last, index);
        if (error != std::errc{} || (stop != last && *stop != ',')) return wrong(fmt::format("'{}' has no element number where one must be, as in m[0] or m[1,2]", path));
        if (place.shape.empty()) return wrong(fmt::format("'{}' has more element numbers than the field {} has dimensions", path, place.path));
        if (index >= place.shape.front())
            return wrong(fmt::format("there is no element {} in '{}': the numbers are from 0 to {}", index, path, place.shape.front() - 1));
        place = part_of(place, index);
        at = stop;
    } while (at != last && ++at);
    place.path += rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    return place;
}

// ---- to text

template <typename T>
T read(std::span<const std::byte> record, std::uint64_t offset_bytes) {
    T value;
    std::memcpy(&value, record.data() + offset_bytes, sizeof value);
    return value;
}

bool read_bool(const RecordPlace& place, std::span<const std::byte> record) { return record[place.offset_bytes] != std::byte{0}; }

std::string_view read_text(const RecordPlace& place, std::span<const std::byte> record) {
    const auto* const bytes = reinterpret_cast<const char*>(record.data() + place.offset_bytes);
    return {bytes, ::strnlen(bytes, place.field->size_bytes)};
}

std::string text_of(std::string_view text, bool quoted) {
    const bool is_plain = !text.empty() && text.find_first_of(" \",[]") == text.npos;
    if (!quoted || is_plain) return escaped(text);
    std::string out = "\"";
    for (const char one : escaped(text)) {
        if (one == '"') out += '\\';
        out += one;
    }
    return out + '"';
}

std::string element_text(const RecordPlace& place, std::span<const std::byte> record, bool quoted) {
    if (place.field->kind == FieldKind::boolean) return read_bool(place, record) ? "true" : "false";
    if (place.field->kind == FieldKind::text) return text_of(read_text(place, record), quoted);
    return with_number(*place.field, [&](auto zero) { return number_text(read<decltype(zero)>(record, place.offset_bytes)); });
}

Json fields_json(const Fields& fields, std::uint64_t offset_bytes, std::span<const std::byte> record) {
    Json object = Json::object();
    for (const RecordField& field : fields) object[field.name] = place_json(place_of(field, "", offset_bytes), record);
    return object;
}

// A float's own shortest text, not that of the double that it is stored as.
template <typename T>
Json number_json(T value) {
    if constexpr (!std::is_same_v<T, float>) return value;
    if (!std::isfinite(static_cast<double>(value))) return nullptr;
    const std::string text = number_text(value);
    double wide = 0;
    std::from_chars(text.data(), text.data() + text.size(), wide);
    return wide;
}

void for_each_value(const Fields& fields, std::string_view in, std::uint64_t offset_bytes, const VisitPlace& visit) {
    for (const RecordField& field : fields) for_each_value(place_of(field, in, offset_bytes), visit);
}

void for_each_declared(const Fields& fields, std::string_view in, std::uint64_t offset_bytes, const VisitPlace& visit) {
    for (const RecordField& field : fields) {
        const RecordPlace place = place_of(field, in, offset_bytes);
        if (field.kind != FieldKind::record || !field.shape.empty()) visit(place);
        if (field.kind == FieldKind::record) for_each_declared(field.fields, place.path + (field.shape.empty() ? "" : "[]"), place.offset_bytes, visit);
    }
}

// ---- from text

// Neighbours become one, so that a long array is.
void add(RecordPatches& patches, std::uint64_t offset_bytes, const void* bytes, std::size_t size_bytes) {
    if (patches.empty() || patches.back().offset_bytes + patches.back().bytes.size() != offset_bytes) patches.push_back({offset_bytes, {}});
    const auto* const first = static_cast<const std::byte*>(bytes);
    patches.back().bytes.insert(patches.back().bytes.end(), first, first + size_bytes);
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
    T value = 0;
    std::from_chars_result result = {};
    if constexpr (std::is_integral_v<T>) {
        const bool is_hexadecimal = text.starts_with("0x");
        if (is_hexadecimal) text.remove_prefix(2);
        if (is_hexadecimal && text.starts_with('-')) return std::nullopt;
        result = std::from_chars(text.data(), text.data() + text.size(), value, is_hexadecimal ? 16 : 10);
    } else {
        result = std::from_chars(text.data(), text.data() + text.size(), value);
    }
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

Result<void> add_text(const RecordPlace& place, std::string_view text, RecordPatches& patches) {
    const std::uint32_t room_bytes = place.field->size_bytes;
    if (text.size() > room_bytes)
        return wrong(fmt::format("the text '{}' for the field '{}' has {} bytes, and there is room for {}; nothing was written", shortened(text), place.path,
                                 text.size(), room_bytes), Code::too_long);
    if (text.find('\0') != text.npos) return wrong(fmt::format("the text for the field '{}' has a NUL in it, which would end it", place.path));
    if (const auto checked = utf16_from_utf8(text); !checked) return wrong(fmt::format("the text for the field '{}' cannot be used: {}", place.path, checked.error().message));
    std::vector<char> bytes(room_bytes, '\0');
    std::memcpy(bytes.data(), text.data(), text.size());
    add(patches, place.offset_bytes, bytes.data(), bytes.size());
    return {};
}

Result<void> add_element(const RecordPlace& place, std::string_view text, RecordPatches& patches) {
    const RecordField& field = *place.field;
    if (field.kind == FieldKind::text) return add_text(place, text, patches);
    if (field.kind == FieldKind::record)
        return wrong(fmt::format("'{}' is a record: set its fields, as in {}=VALUE", place.path, path_of(place.path, field.fields.empty() ? "FIELD" : field.fields[0].name)));
    if (field.kind == FieldKind::boolean) {
        const bool is_true = text == "true" || text == "1";
        if (!is_true && text != "false" && text != "0") return cannot_be(place, text);
        const unsigned char byte = is_true ? 1 : 0;
        add(patches, place.offset_bytes, &byte, 1);
        return {};
    }
    return with_number(field, [&](auto zero) -> Result<void> {
        const auto value = parse_number<decltype(zero)>(text);
        if (!value) return cannot_be(place, text);
        add(patches, place.offset_bytes, &*value, sizeof *value);
        return {};
    });
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto comma = text.find(',');
        parts.push_back(text.substr(0, comma));
        if (comma == text.npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

Result<void> add_value(const RecordPlace& place, std::string_view text, RecordPatches& patches) {
    if (place.shape.empty()) return add_element(place, text, patches);
    if (place.field->kind == FieldKind::record) return wrong(fmt::format("'{}' is an array of records: set their fields, as in {}[0].FIELD=VALUE", place.path, place.path));
    if (place.shape.size() > 1)
        return wrong(fmt::format("'{}' is {}: set its rows or elements, as in {}[0]=... or {}[0,0]=..., or give JSON", place.path, type_text(*place.field), place.path, place.path));
    if (text.starts_with('[') && text.ends_with(']') && text.size() > 1) text = text.substr(1, text.size() - 2);
    const auto parts = split(text);
    if (parts.size() != place.shape[0]) return wrong_count(place, parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
        RecordPlace part = part_of(place, i);
        part.path += fmt::format("[{}]", i);
        if (const auto added = add_element(part, parts[i], patches); !added) return added;
    }
    return {};
}

// ---- from JSON

Result<void> add_json(const RecordPlace& place, const Json& value, RecordPatches& patches);

Result<void> add_fields(const Fields& fields, const std::string& in, std::uint64_t offset_bytes, const Json& object, RecordPatches& patches) {
    for (const auto& [name, value] : object.items()) {
        const RecordField* const field = find_field(fields, name);
        if (field == nullptr) return no_field(path_of(in, name), fields);
        if (const auto added = add_json(place_of(*field, in, offset_bytes), value, patches); !added) return added;
    }
    return {};
}

template <typename T>
std::optional<T> number_of(const Json& value) {
    if constexpr (std::is_floating_point_v<T>) {
        if (!value.is_number()) return std::nullopt;
        const auto number = static_cast<T>(value.get<double>());
        return std::isfinite(number) ? std::optional(number) : std::nullopt;
    } else {
        if (!value.is_number_integer()) return std::nullopt;
        const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>()) : std::in_range<T>(value.get<std::int64_t>());
        return fits ? std::optional(static_cast<T>(value.get<std::int64_t>())) : std::nullopt;
    }
}

Result<void> add_json_element(const RecordPlace& place, const Json& value, RecordPatches& patches) {
    const RecordField& field = *place.field;
    switch (field.kind) {
        case FieldKind::text:
            if (!value.is_string()) return cannot_be(place, json_text(value));
            return add_text(place, value.get_ref<const std::string&>(), patches);
        case FieldKind::record:
            if (!value.is_object()) return cannot_be(place, json_text(value));
            return add_fields(field.fields, place.path, place.offset_bytes, value, patches);
        case FieldKind::boolean: {
            if (!value.is_boolean()) return cannot_be(place, json_text(value));
            return add_element(place, value.get<bool>() ? "true" : "false", patches);
        }
        default: break;
    }
    return with_number(field, [&](auto zero) -> Result<void> {
        const auto number = number_of<decltype(zero)>(value);
        if (!number) return cannot_be(place, json_text(value));
        add(patches, place.offset_bytes, &*number, sizeof *number);
        return {};
    });
}

Result<void> add_json(const RecordPlace& place, const Json& value, RecordPatches& patches) {
    if (place.shape.empty()) return add_json_element(place, value, patches);
    if (!value.is_array()) return wrong(fmt::format("the field '{}' cannot be {}: it is {}, an array", place.path, shortened(json_text(value)), type_text(*place.field)));
    if (value.size() != place.shape[0]) return wrong_count(place, value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        RecordPlace part = part_of(place, i);
        part.path += fmt::format("[{}]", i);
        if (const auto added = add_json(part, value[i], patches); !added) return added;
    }
    return {};
}

Result<Json> json_of(const std::string& text) {
    try {
        return Json::parse(text);
    } catch (const Json::exception& error) {
        const std::string_view what = error.what();
        const auto end = what.find("] ");  // of the exception's own name
        return wrong(fmt::format("the value is no JSON: {}", end == what.npos ? what : what.substr(end + 2)));
    }
}

}  // namespace

std::uint64_t RecordPlace::count() const {
    std::uint64_t count = 1;
    for (const std::uint32_t length : shape) count *= length;
    return count;
}

void apply(const RecordPatches& patches, std::byte* record) {
    for (const RecordPatch& patch : patches) std::memcpy(record + patch.offset_bytes, patch.bytes.data(), patch.bytes.size());
}

std::string type_text(const RecordField& field) {
    std::string text;
    switch (field.kind) {
        case FieldKind::boolean: text = "b1"; break;
        case FieldKind::signed_integer: text = fmt::format("i{}", field.size_bytes); break;
        case FieldKind::unsigned_integer: text = fmt::format("u{}", field.size_bytes); break;
        case FieldKind::floating: text = fmt::format("f{}", field.size_bytes); break;
        case FieldKind::text: text = fmt::format("s{}", field.size_bytes); break;
        case FieldKind::record: text = "record"; break;
    }
    return field.shape.empty() ? text : fmt::format("{}[{}]", text, fmt::join(field.shape, ","));
}

Result<RecordPlace> find_place(const RecordType& type, std::string_view path) {
    const Fields* fields = &type.fields();
    RecordPlace place;
    std::string_view rest = path;
    for (;;) {
        const auto end = std::min(rest.find_first_of(".["), rest.size());
        const RecordField* const field = find_field(*fields, rest.substr(0, end));
        if (field == nullptr) return no_field(path_of(place.path, rest.substr(0, end)), *fields);
        place = place_of(*field, place.path, place.offset_bytes);
        rest.remove_prefix(end);
        while (rest.starts_with('[')) {
            auto part = indexed(std::move(place), rest, path);
            if (!part) return part;
            place = std::move(*part);
        }
        if (rest.empty()) return place;
        if (!rest.starts_with('.')) return wrong(fmt::format("'{}' is no field: after ] a . is expected", path));
        if (place.field->kind != FieldKind::record) return wrong(fmt::format("'{}' is no field: {} is no record, but {}", path, place.path, type_text(*place.field)));
        if (!place.shape.empty()) return wrong(fmt::format("'{}' is no field: {} is an array, so say which element, as in {}[0]{}", path, place.path, place.path, rest));
        rest.remove_prefix(1);
        fields = &place.field->fields;
    }
}

void for_each_value(const RecordType& type, const VisitPlace& visit) { for_each_value(type.fields(), "", 0, visit); }

void for_each_value(const RecordPlace& place, const VisitPlace& visit) {
    if (place.field->kind != FieldKind::record) return visit(place);
    for (std::uint64_t i = 0; i < place.count(); ++i)
        for_each_value(place.field->fields, place.shape.empty() ? place.path : fmt::format("{}[{}]", place.path, index_text(place, i)),
                       place.offset_bytes + i * place.field->size_bytes, visit);
}

void for_each_declared(const RecordType& type, const VisitPlace& visit) { for_each_declared(type.fields(), "", 0, visit); }

std::string value_text(const RecordPlace& place, std::span<const std::byte> record, bool quoted) {
    if (place.shape.empty()) return element_text(place, record, quoted);
    std::string text = "[";
    for (std::uint32_t i = 0; i < place.shape[0]; ++i) {
        if (i > 0) text += ',';
        text += value_text(part_of(place, i), record, true);
    }
    return text + ']';
}

std::string line_text(const RecordType& type, std::span<const std::byte> record) {
    std::string line;
    for_each_value(type, [&](const RecordPlace& place) {
        line += fmt::format("{}{}={}", line.empty() ? "" : " ", escaped(place.path), value_text(place, record, true));
    });
    return line;
}

Json place_json(const RecordPlace& place, std::span<const std::byte> record) {
    if (!place.shape.empty()) {
        Json list = Json::array();
        for (std::uint32_t i = 0; i < place.shape[0]; ++i) list.push_back(place_json(part_of(place, i), record));
        return list;
    }
    switch (place.field->kind) {
        case FieldKind::record: return fields_json(place.field->fields, place.offset_bytes, record);
        case FieldKind::boolean: return read_bool(place, record);
        case FieldKind::text: return read_text(place, record);
        default: return with_number(*place.field, [&](auto zero) { return number_json(read<decltype(zero)>(record, place.offset_bytes)); });
    }
}

Json record_json(const RecordType& type, std::span<const std::byte> record) { return fields_json(type.fields(), 0, record); }

Result<RecordPatches> parse_assignments(const RecordType& type, std::span<const std::string> assignments) {
    RecordPatches patches;
    for (const std::string& assignment : assignments) {
        const auto equals = assignment.find('=');
        if (equals == assignment.npos) return wrong(fmt::format("'{}' sets no field: write field=value; the fields are {}", shortened(assignment), names_of(type.fields())));
        const std::string_view text = assignment;
        const auto place = find_place(type, text.substr(0, equals));
        if (!place) return tl::unexpected(place.error());
        if (const auto added = add_value(*place, text.substr(equals + 1), patches); !added) return tl::unexpected(added.error());
    }
    return patches;
}

Result<RecordPatches> parse_json(const RecordType& type, const std::string& text) {
    const auto json = json_of(text);
    if (!json) return tl::unexpected(json.error());
    if (!json->is_object()) return wrong("the value must be a JSON object, as in {\"bid\":1.5}");
    RecordPatches patches;
    if (const auto added = add_fields(type.fields(), "", 0, *json, patches); !added) return tl::unexpected(added.error());
    return patches;
}

}  // namespace comap::tool
