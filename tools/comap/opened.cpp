// SPDX-License-Identifier: Apache-2.0
#include "opened.hpp"

#include <fmt/format.h>

#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr int kOpenTries = 10;  // the name may pass to an object of another layout in between

template <typename Object, typename Options>
Result<Opened> open_as(Tool& tool, const std::string& name, const Options& options) {
    auto object = Object::open(name, options, tool.context);
    if (!object) return tl::unexpected(object.error());
    return Opened(std::move(*object));
}

Result<Opened> open_once(Tool& tool, const std::string& name, const std::string& file) {
    const auto info = tool.context.stat(name);
    if (!info) return tl::unexpected(info.error());
    const OpenOptions options = {.access = Access::read_only, .owner_uid = {}, .file = file};
    if (info->layout == Layout::text) return open_as<Text>(tool, name, options);
    if (info->layout == Layout::cell) return open_as<RawCell>(tool, name, CellOpenOptions{options});
    if (info->layout == Layout::channel) return open_to_subscribe(tool, name).map([](RawChannel&& channel) { return Opened(std::move(channel)); });
    if (info->layout == Layout::queue)
        return tl::unexpected(Error{Code::layout_mismatch, 0, name, fmt::format("the messages of the queue '{}' are seen only by who takes them", name)});
    return open_as<Section>(tool, name, options);
}

}  // namespace

Result<Opened> open_to_read(Tool& tool, const std::string& name, const std::string& file) {
    auto opened = open_once(tool, name, file);
    for (int i = 1; i < kOpenTries && !opened && opened.error().code == Code::layout_mismatch; ++i)
        opened = open_once(tool, name, file);
    return opened;
}

}  // namespace comap::tool
