// SPDX-License-Identifier: Apache-2.0
#include "object_json.hpp"

#include "activity.hpp"
#include "format.hpp"
#include "kinds.hpp"

namespace comap::tool {

namespace {

void add_mutex_state(Json& object, const ObjectInfo& info, const ActivityByPid& activities) {
    const auto pid = owner_pid(activities);
    object["locked"] = info.owner_thread != 0;
    object["owner_thread"] = info.owner_thread != 0 ? Json(info.owner_thread) : Json(nullptr);
    object["owner_pid"] = pid ? Json(*pid) : Json(nullptr);
    object["abandoned"] = info.is_abandoned;
}

void add_sync_state(Json& object, const ObjectInfo& info, const HolderScan& scan) {
    const auto doing = activities(info, scan.holders(info));
    if (info.kind == Kind::mutex) add_mutex_state(object, info, doing);
    if (info.kind == Kind::event) object["set"] = info.is_set;
    if (info.kind == Kind::event) object["manual"] = info.is_manual;
    if (info.kind == Kind::semaphore) object["count"] = info.count;
    if (info.kind == Kind::semaphore) object["maximum"] = info.maximum;
    object["waiters"] = scan.is_hidden(info) ? Json(nullptr) : Json(waiting_pids(doing, Seen::yes));
    object["waiters_unknown"] = waiting_pids(doing, Seen::unknown);
}

}  // namespace

std::string_view state_name(Presence presence) {
    switch (presence) {
        case Presence::held: return "held";
        case Presence::kept: return "kept";
        case Presence::dead: return "dead";
    }
    return "unknown";
}

Json object_json(const ObjectInfo& info, const HolderScan& scan) {
    Json object = {{"name", info.name}, {"kind", shown_kind(info)}};
    if (is_section(info)) object["layout"] = layout_name(info.layout);
    if (is_section(info)) object["size_bytes"] = info.size_bytes;
    if (is_section(info) && !is_stream(info)) object["version"] = info.version;
    object.update({{"holders", scan.pids(info)},
                   {"keep", info.keep},
                   {"mode", octal(info.mode)},
                   {"uid", info.uid},
                   {"created", iso_time(info.created_ns)},
                   {"state", state_name(info.presence)}});
    if (info.lazy) object["lazy"] = true;
    if (info.layout == Layout::text) object["capacity_bytes"] = info.text_capacity_bytes;
    if (info.layout == Layout::cell) object["record_format"] = info.record_format;
    if (info.layout == Layout::cell) object["record_bytes"] = info.record_bytes;
    if (info.layout == Layout::cell) object["slot_count"] = info.slot_count;
    if (is_stream(info)) object["message_bytes"] = info.message_bytes;
    if (is_stream(info)) object["record_format"] = info.record_format.empty() ? Json(nullptr) : Json(info.record_format);
    if (info.layout == Layout::channel) object["many_publishers"] = info.has_many_writers;
    if (info.layout == Layout::channel) object["subscribers_waited_for"] = info.slot_count;
    if (!info.file.empty()) object["file"] = info.file;
    if (!info.file.empty()) object["file_offset"] = info.file_offset;
    if (!is_section(info)) add_sync_state(object, info, scan);
    return object;
}

std::string json_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace comap::tool
