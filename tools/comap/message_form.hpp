// SPDX-License-Identifier: Apache-2.0
// Messages of channels and queues as they are printed: a line each, JSON, their bytes, or framed. They come from shared memory and
// may be any bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <comap/record.hpp>

#include "command_line.hpp"
#include "object_json.hpp"
#include "output.hpp"

namespace comap::tool {

struct FormOptions {
    bool json = false;
    bool raw = false;
    bool framed = false;
};

// --json, --raw and --framed, of which one can be given.
void add_form(CommandLine command, FormOptions& form);

// "bid=1.5 ask=1.6", or the text on one line: escaped, but for tabs.
std::string message_line(const RecordType& type, std::span<const std::byte> bytes);

// Adds "value" (a record), "text", or "bytes_base64" (what is not UTF-8).
void add_message(Json& object, const RecordType& type, std::span<const std::byte> bytes);

// `facts`: what JSON says beside it.
void print_message(Output& out, const FormOptions& form, const RecordType& type, std::span<const std::byte> bytes, const Json& facts);

}  // namespace comap::tool
