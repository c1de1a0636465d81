// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as the description of a record and as a short list of fields. What is accepted has one spelling that is
// accepted again, fits its limits, and differs from another in a way that can be shown to people.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <comap/record.hpp>

#include "base/utf.hpp"

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

void check_fields(const std::vector<comap::RecordField>& fields, std::uint64_t size_bytes) {
    std::uint64_t end = 0;
    for (const comap::RecordField& field : fields) {
        must(!field.name.empty() && field.size_bytes > 0 && field.offset_bytes >= end);
        end = field.offset_bytes + field.count() * field.size_bytes;
        must(end <= size_bytes);
        must(field.kind == comap::FieldKind::record || field.fields.empty());
        check_fields(field.fields, field.size_bytes);
    }
}

void check(const comap::Result<comap::RecordType>& type) {
    static const auto other = comap::RecordType::parse("T{<d:a:T{I:b:(2)H:c:}:d:8s:e:}").value();
    if (!type) {
        must(type.error().code == comap::Code::invalid_argument && !comap::internal::first_invalid_utf8(type.error().message));
        return;
    }
    must(type->size_bytes() > 0 && type->size_bytes() <= comap::kRecordBytesMax && type->format().size() <= comap::kRecordFormatMax);
    check_fields(type->fields(), type->size_bytes());
    const auto again = comap::RecordType::parse(type->format());
    must(again && again->format() == type->format() && again->size_bytes() == type->size_bytes());
    must(type->first_difference(*again, false).empty() && again->first_difference(*type, true).empty());
    for (const bool allow_longer : {false, true}) {
        must(!comap::internal::first_invalid_utf8(other.first_difference(*type, allow_longer)));
        must(!comap::internal::first_invalid_utf8(type->first_difference(other, allow_longer)));
    }
    must(type->first_difference(other, false).empty() == (type->format() == other.format()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check(comap::RecordType::parse(bytes));
    check(comap::RecordType::from_list(bytes));
    return 0;
}
