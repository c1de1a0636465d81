// SPDX-License-Identifier: Apache-2.0
// Values of a record's fields as people and JSON write them. A place in a record is written as a path: bid, book.price, m[1,2],
// legs[0].price. The records come from shared memory: names and texts may be any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <comap/record.hpp>

#include "object_json.hpp"

namespace comap::tool {

// One field, or some elements of an array. Points into the RecordType it was found in.
struct RecordPlace {
    std::string path;
    const RecordField* field = nullptr;
    std::uint64_t offset_bytes = 0;    // in the outermost record
    std::vector<std::uint32_t> shape;  // empty: one element
    std::uint64_t count() const;       // of elements
    std::uint64_t size_bytes() const { return count() * field->size_bytes; }
};

// Bytes to be put into a record.
struct RecordPatch {
    std::uint64_t offset_bytes = 0;
    std::vector<std::byte> bytes;
};
using RecordPatches = std::vector<RecordPatch>;

void apply(const RecordPatches& patches, std::byte* record);

// "f8", "s16[4]", "record[2,3]"
std::string type_text(const RecordField& field);

// Errors: invalid_argument (there is no such field or element; says what there is).
Result<RecordPlace> find_place(const RecordType& type, std::string_view path);

// Visits the fields that are no records themselves, in their order; arrays of records by their elements, other arrays as a whole.
using VisitPlace = std::function<void(const RecordPlace&)>;
void for_each_value(const RecordType& type, const VisitPlace& visit);
void for_each_value(const RecordPlace& place, const VisitPlace& visit);

// Visits what the record is declared to have: as above, but of an array of records the array and the fields of its first element.
void for_each_declared(const RecordType& type, const VisitPlace& visit);

// The value at a place that is no record, as put takes it: 1.5, [1,2,3], EURUSD. Numbers read back the same. Texts are escaped;
// `quoted`: and in double quotes, where else they could not be told from what follows. REQUIRES: the record has all its bytes.
std::string value_text(const RecordPlace& place, std::span<const std::byte> record, bool quoted);

// "bid=1.5 ask=1.6 symbol=EURUSD"
std::string line_text(const RecordType& type, std::span<const std::byte> record);

// In the order of the fields. Floats that are not finite become null when it is written.
Json record_json(const RecordType& type, std::span<const std::byte> record);
Json place_json(const RecordPlace& place, std::span<const std::byte> record);

// What "bid=1.5" changes. Errors: invalid_argument (the field, the value and the limits), too_long (a text).
Result<RecordPatches> parse_assignments(const RecordType& type, std::span<const std::string> assignments);

// The same of a JSON object; fields that it does not have are not changed.
Result<RecordPatches> parse_json(const RecordType& type, const std::string& text);

}  // namespace comap::tool
