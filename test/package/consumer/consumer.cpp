// SPDX-License-Identifier: Apache-2.0
// Uses something of every public header and of the library behind it. Succeeds if all of it works.
#include <cstdio>

#include <comap/comap.hpp>

namespace {

bool section_works() {
    const auto section = comap::Section::create("consumer-section", 4096);
    if (!section) return false;
    const auto view = section->view();
    if (!view || view->size() != 4096) return false;
    view->as<int>()[7] = 42;
    if (!section->publish() || section->version().value_or(0) != 1) return false;
    const auto end = section->wait(0, comap::Deadline::passed());
    return end && *end == comap::Wait::changed;
}

bool text_works() {
    const auto text = comap::Text::create("consumer-text");
    if (!text || !text->set("\xc3\xa4")) return false;
    const auto utf16 = comap::utf16_from_utf8(text->get()->value);
    auto watcher = comap::Watcher::create();
    if (!watcher || !watcher->add(*text, 5, 0)) return false;
    const auto changed = watcher->next();
    return utf16 && *utf16 == u"\u00e4" && changed && *changed && (*changed)->tag == 5;
}

bool errors_work() {
    const auto missing = comap::Section::open("consumer-missing");
    return !missing && missing.error().code == comap::Code::not_found && !missing.error().message.empty() &&
           comap::code_name(missing.error().code) == "not_found";
}

}  // namespace

int main() {
    if (section_works() && text_works() && errors_work()) return 0;
    std::fputs("consumer: something of the installed library does not work\n", stderr);
    return 1;
}
