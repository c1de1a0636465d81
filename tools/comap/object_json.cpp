// SPDX-License-Identifier: Apache-2.0
#include "object_json.hpp"

#include "format.hpp"

namespace comap::tool {

std::string_view state_name(Presence presence) {
    switch (presence) {
        case Presence::held: return "held";
        case Presence::kept: return "kept";
        case Presence::dead: return "dead";
    }
    return "unknown";
}

Json object_json(const ObjectInfo& info, const HolderScan& scan) {
    Json object = {{"name", info.name},
                   {"kind", kind_name(info.kind)},
                   {"layout", layout_name(info.layout)},
                   {"size_bytes", info.size_bytes},
                   {"version", info.version},
                   {"holders", scan.pids(info)},
                   {"keep", info.keep},
                   {"mode", octal(info.mode)},
                   {"uid", info.uid},
                   {"created", iso_time(info.created_ns)},
                   {"state", state_name(info.presence)}};
    if (info.lazy) object["lazy"] = true;
    if (info.layout == Layout::text) object["capacity_bytes"] = info.text_capacity_bytes;
    if (!info.file.empty()) object["file"] = info.file;
    if (!info.file.empty()) object["file_offset"] = info.file_offset;
    return object;
}

std::string json_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace comap::tool
