// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as an object's file. The parser must answer; and the whole way of an opener must, on a real file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <comap/comap.hpp>

#include "object/header.hpp"

namespace {

struct Place {
    std::string root = "/dev/shm/comap-fuzz-XXXXXX";
    Place() {
        if (!::mkdtemp(root.data())) std::abort();
    }
    ~Place() { (void)!std::system(("rm -rf " + root).c_str()); }
    static Place& the() {
        static Place place;
        return place;
    }
};

void use(comap::Context& context) {
    if (const auto section = comap::Section::open("x", {}, context)) {
        (void)section->size_bytes();
        (void)section->info();
        (void)section->version();
        (void)section->publish();
        if (const auto view = section->view()) view->writable_bytes()[view->size() - 1] = std::byte{1};
    }
    if (const auto text = comap::Text::open("x", {}, context)) {
        (void)text->get();
        (void)text->append("x", comap::Deadline::passed());
        (void)text->set("y", comap::Deadline::passed());
        (void)text->get();
    }
    if (const auto cell = comap::RawCell::open("x", {}, context)) {
        std::vector<std::byte> value(static_cast<std::size_t>(cell->type().size_bytes()));
        (void)cell->load(value);
        (void)cell->store(value, comap::Deadline::passed());
        (void)cell->load_version(1, value);
        (void)cell->load(value);
    }
    (void)context.stat("x");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    (void)comap::internal::parse_header(bytes.first(std::min<std::size_t>(size, 4096)), size, "x");
    static comap::Context context(comap::ContextOptions{.root = Place::the().root});
    if (!context.check(comap::Scope::local)) std::abort();
    // A kept object, so that every opener takes it for one that lives.
    const std::string path = context.directory(comap::Scope::local) + "/x";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
    ::fchmod(file, 01600);
    ::close(file);
    use(context);
    ::unlink(path.c_str());
    return 0;
}
