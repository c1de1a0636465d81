// SPDX-License-Identifier: Apache-2.0
#include <comap/record.hpp>

#include <charconv>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "base/utf.hpp"

namespace comap {
namespace {

using namespace internal;

constexpr std::size_t kNestingMax = 8;
constexpr std::size_t kNameBytesMaxOfField = 64;
constexpr std::size_t kDimensionsMax = 4;

struct Letter {
    char letter;
    FieldKind kind;
    std::uint32_t size_bytes;
    const char* short_name;  // of the list on the command line
};
constexpr Letter kLetters[] = {
    {'?', FieldKind::boolean, 1, "b1"},          {'b', FieldKind::signed_integer, 1, "i1"},   {'h', FieldKind::signed_integer, 2, "i2"},
    {'i', FieldKind::signed_integer, 4, "i4"},   {'q', FieldKind::signed_integer, 8, "i8"},   {'B', FieldKind::unsigned_integer, 1, "u1"},
    {'H', FieldKind::unsigned_integer, 2, "u2"}, {'I', FieldKind::unsigned_integer, 4, "u4"}, {'Q', FieldKind::unsigned_integer, 8, "u8"},
    {'f', FieldKind::floating, 4, "f4"},         {'d', FieldKind::floating, 8, "f8"},
};

// Other letters that mean the same with standard sizes.
char canonical(char letter) { return letter == 'l' ? 'i' : letter == 'L' ? 'I' : letter; }

bool can_be_in_name(char one) {
    const auto byte = static_cast<unsigned char>(one);
    return byte > 0x20 && byte != 0x7f && one != ':' && one != '{' && one != '}' && one != '=' && one != ',' && one != '.' && one != '[' && one != ']';
}

std::optional<std::string> name_fault(std::string_view name, const std::vector<RecordField>& before) {
    if (name.empty() || name.size() > kNameBytesMaxOfField) return cat("a field's name has ", name.size(), " bytes; it must have from 1 to ", kNameBytesMaxOfField);
    if (first_invalid_utf8(name)) return "a field's name is not UTF-8";
    for (const char one : name)
        if (!can_be_in_name(one)) return cat("the field name '", shown(name), "' has a character that cannot be in one");
    for (const RecordField& field : before)
        if (field.name == name) return cat("two fields have the name '", name, "'");
    return std::nullopt;
}

// "f8[2,3]": as a person would write the type of a field.
std::string type_text(const RecordField& field) {
    std::string text;
    if (field.kind == FieldKind::text) text = cat("s", field.size_bytes);
    if (field.kind == FieldKind::record) text = cat("record of ", field.size_bytes, " bytes");
    for (const Letter& letter : kLetters)
        if (letter.kind == field.kind && letter.size_bytes == field.size_bytes) text = letter.short_name;
    for (std::size_t i = 0; i < field.shape.size(); ++i) text += cat(i == 0 ? "[" : ",", field.shape[i]);
    return field.shape.empty() ? text : text + "]";
}

// Goes through a description; says where it stopped.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<std::uint64_t> record(std::vector<RecordField>& fields, std::size_t depth) {
        if (depth > kNestingMax) return wrong(cat("records are nested more than ", kNestingMax, " deep"));
        std::uint64_t end = 0;
        while (!skip('}')) {
            RecordField field;
            skip_order();
            COMAP_TRY(shape(field));
            skip_order();
            bool is_padding = false;
            COMAP_GET(const std::uint64_t size, type(field, is_padding, depth));
            field.offset_bytes = end;
            const std::uint64_t count = field.count();
            if (size > kRecordBytesMax || count > kRecordBytesMax || size * count > kRecordBytesMax - end) return wrong("the record is too large");
            end += size * count;
            if (is_padding) continue;
            COMAP_TRY(name(field, fields));
            fields.push_back(std::move(field));
        }
        if (end == 0) return wrong("a record has no fields");
        return end;
    }

    Result<void> begin() {
        skip_order();
        if (!skip('T') || !skip('{')) return wrong("it does not begin with T{");
        return {};
    }

    Result<void> finish() {
        if (at_ != text_.size()) return wrong("there is something after its end");
        return {};
    }

  private:
    tl::unexpected<Error> wrong(std::string_view why) const {
        return fail(Code::invalid_argument, 0, "", "the record description cannot be used: ", why, " (at byte ", at_, ")");
    }
    bool skip(char one) {
        if (at_ == text_.size() || text_[at_] != one) return false;
        ++at_;
        return true;
    }
    // '=' is native order with standard sizes: little-endian here. '@' would imply padding, which depends on the machine.
    void skip_order() {
        while (skip('<') || skip('=')) {}
    }
    Result<std::uint32_t> number() {
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc() || value == 0) return wrong("a number from 1 to 4294967295 is expected");
        at_ = static_cast<std::size_t>(end - text_.data());
        return value;
    }
    bool is_digit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }

    Result<void> shape(RecordField& field) {
        if (!skip('(')) return {};
        do {
            COMAP_GET(const std::uint32_t count, number());
            field.shape.push_back(count);
        } while (skip(','));
        if (field.shape.size() > kDimensionsMax) return wrong(cat("an array has more than ", kDimensionsMax, " dimensions"));
        if (!skip(')')) return wrong("a shape does not end with )");
        return {};
    }

    Result<std::uint64_t> type(RecordField& field, bool& is_padding, std::size_t depth) {
        std::uint32_t repeat = 0;
        if (is_digit()) {
            COMAP_GET(repeat, number());
        }
        if (at_ == text_.size()) return wrong("it ends too early");
        const char letter = canonical(text_[at_++]);
        if (letter == 'x' || letter == 's') {
            is_padding = letter == 'x';
            field.kind = FieldKind::text;
            field.size_bytes = repeat == 0 ? 1 : repeat;
            return field.size_bytes;
        }
        if (repeat != 0) field.shape.push_back(repeat);  // "3d" is "(3)d"
        if (field.shape.size() > kDimensionsMax) return wrong(cat("an array has more than ", kDimensionsMax, " dimensions"));
        if (letter == 'T') {
            if (!skip('{')) return wrong("after T a { is expected");
            field.kind = FieldKind::record;
            COMAP_GET(const std::uint64_t size, record(field.fields, depth + 1));
            field.size_bytes = static_cast<std::uint32_t>(size);
            return size;
        }
        for (const Letter& one : kLetters) {
            if (one.letter != letter) continue;
            field.kind = one.kind;
            field.size_bytes = one.size_bytes;
            return one.size_bytes;
        }
        --at_;
        const bool is_ascii = static_cast<unsigned char>(text_[at_]) < 0x80;
        return wrong(is_ascii ? cat("'", shown(text_.substr(at_, 1)), "' is no type of a field") : "it is no type of a field");
    }

    Result<void> name(RecordField& field, const std::vector<RecordField>& before) {
        if (!skip(':')) return wrong("a field has no name");
        const std::size_t end = text_.find(':', at_);
        if (end == text_.npos) return wrong("a field's name does not end with :");
        field.name = text_.substr(at_, end - at_);
        if (const auto fault = name_fault(field.name, before)) return wrong(*fault);
        at_ = end + 1;
        return {};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

void write(const std::vector<RecordField>& fields, std::uint64_t size_bytes, std::string& out) {
    std::uint64_t end = 0;
    const auto pad_up_to = [&](std::uint64_t offset) {
        if (offset > end) out += cat(offset - end, "x");
    };
    for (const RecordField& field : fields) {
        pad_up_to(field.offset_bytes);
        if (!field.shape.empty()) {
            for (std::size_t i = 0; i < field.shape.size(); ++i) out += cat(i == 0 ? "(" : ",", field.shape[i]);
            out += ')';
        }
        if (field.kind == FieldKind::text) out += cat(field.size_bytes, "s");
        for (const Letter& letter : kLetters)
            if (letter.kind == field.kind && letter.size_bytes == field.size_bytes) out += letter.letter;
        if (field.kind == FieldKind::record) {
            out += "T{";
            write(field.fields, field.size_bytes, out);
            out += '}';
        }
        out += cat(":", field.name, ":");
        end = field.offset_bytes + field.count() * field.size_bytes;
    }
    pad_up_to(size_bytes);
}

std::string difference(const std::vector<RecordField>& ours, const std::vector<RecordField>& theirs, const std::string& in, bool allow_longer) {
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
        if (i == theirs.size()) return cat("field ", i + 1, ", '", in, ours[i].name, "' (", type_text(ours[i]), "), is missing");
        if (i == ours.size()) return allow_longer ? "" : cat("field ", i + 1, ", '", in, theirs[i].name, "' (", type_text(theirs[i]), "), is one too many");
        const RecordField& a = ours[i];
        const RecordField& b = theirs[i];
        if (a.name != b.name) return cat("field ", i + 1, " is '", in, b.name, "', not '", in, a.name, "'");
        if (a.kind == FieldKind::record && b.kind == FieldKind::record)
            if (std::string inner = difference(a.fields, b.fields, cat(in, a.name, "."), false); !inner.empty()) return inner;
        if (type_text(a) != type_text(b)) return cat("field '", in, a.name, "' is ", type_text(b), ", not ", type_text(a));
        if (a.offset_bytes != b.offset_bytes) return cat("field '", in, a.name, "' is at byte ", b.offset_bytes, ", not ", a.offset_bytes);
    }
    return "";
}

// One entry of the short list, "bid:f8[2]", as its part of a format.
Result<std::string> format_of_entry(std::string_view entry) {
    const auto wrong = [&](std::string_view why) {
        return fail(Code::invalid_argument, 0, "", "the field '", shown(entry), "' cannot be used: ", why, "; write name:type, for example bid:f8, flags:u1[4], symbol:s16");
    };
    if (first_invalid_utf8(entry)) return fail(Code::invalid_argument, 0, "", "a field of the list is not UTF-8");
    const std::size_t colon = entry.find(':');
    if (colon == entry.npos && entry.size() > 1 && entry[0] == 'x' && entry.find_first_not_of("0123456789", 1) == entry.npos) return cat(entry.substr(1), "x");
    if (colon == entry.npos) return wrong("it has no type");
    const std::string_view name = entry.substr(0, colon);
    std::string_view type = entry.substr(colon + 1);
    std::string shape;
    if (const std::size_t bracket = type.find('['); bracket != type.npos) {
        if (type.back() != ']') return wrong("its [ has no ]");
        if (type.find_first_not_of("0123456789,", bracket + 1) != type.size() - 1) return wrong("between [ and ] there are numbers");
        shape = cat("(", type.substr(bracket + 1, type.size() - bracket - 2), ")");
        type = type.substr(0, bracket);
    }
    if (type.size() > 1 && (type[0] == 's' || type[0] == 'x')) {
        if (type.find_first_not_of("0123456789", 1) != type.npos) return wrong("after s or x a number of bytes is expected");
        if (type[0] == 'x') return cat(shape, type.substr(1), "x");
        return cat(shape, type.substr(1), "s:", name, ":");
    }
    for (const Letter& letter : kLetters)
        if (type == letter.short_name) return cat(shape, std::string_view(&letter.letter, 1), ":", name, ":");
    return wrong("its type is none of i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 b1 sN xN");
}

}  // namespace

std::uint64_t RecordField::count() const {
    std::uint64_t count = 1;
    for (const std::uint32_t length : shape) count = count > kRecordBytesMax ? count : count * length;  // no overflow: both below 2^32
    return count;
}

Result<RecordType> RecordType::parse(std::string_view format) {
    if (format.size() > kRecordFormatMax)
        return fail(Code::invalid_argument, 0, "", "the record description has ", format.size(), " bytes; at most ", kRecordFormatMax, " are possible");
    RecordType type;
    Parser parser(format);
    COMAP_TRY(parser.begin());
    COMAP_GET(type.size_bytes_, parser.record(type.fields_, 1));
    COMAP_TRY(parser.finish());
    if (type.fields_.empty()) return fail(Code::invalid_argument, 0, "", "the record description has no fields");
    std::string text = "<T{";
    write(type.fields_, type.size_bytes_, text);
    type.format_ = text + "}";
    if (type.format_.size() > kRecordFormatMax)
        return fail(Code::invalid_argument, 0, "", "the record description has ", type.format_.size(), " bytes; at most ", kRecordFormatMax, " are possible");
    return type;
}

Result<RecordType> RecordType::from_list(std::string_view list) {
    std::string format = "T{<";
    while (true) {
        // A comma inside brackets belongs to a shape.
        std::size_t end = 0;
        for (int depth = 0; end < list.size() && (list[end] != ',' || depth > 0); ++end) depth += list[end] == '[' ? 1 : list[end] == ']' ? -1 : 0;
        COMAP_GET(const std::string entry, format_of_entry(list.substr(0, end)));
        format += entry;
        if (end == list.size()) break;
        list.remove_prefix(end + 1);
    }
    return parse(format + "}");
}

std::string RecordType::first_difference(const RecordType& other, bool allow_longer) const {
    if (std::string fields = difference(fields_, other.fields_, "", allow_longer); !fields.empty()) return fields;
    if (other.size_bytes_ < size_bytes_ || (other.size_bytes_ > size_bytes_ && !allow_longer))
        return cat("it has ", other.size_bytes_, " bytes, not ", size_bytes_);
    return "";
}

}  // namespace comap
