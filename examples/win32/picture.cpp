// SPDX-License-Identifier: Apache-2.0
// A picture of 1,024 x 768 grey pixels that two processes see:
//     picture paint    makes and paints it, and keeps it until a key is pressed or its input ends
//     picture look     meanwhile looks at it, and paints a frame around it for the other
#include <windows.h>

#include <conio.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

constexpr DWORD kWidth = 1024, kHeight = 768, kSize = kWidth * kHeight;
constexpr const char* kName = "Local\\comap-example-picture";
constexpr int kBackground = 0x20, kFrame = 0xff;

int fail(const char* what) {
    std::printf("picture: %s failed with %d\n", what, static_cast<int>(GetLastError()));
    return 1;
}

// Each row is brighter to the right, by a table that is copied into the middle of it.
void paint(BYTE* pixels) {
    std::array<BYTE, 256> gradient;
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = static_cast<BYTE>(i);
    std::memset(pixels, kBackground, kSize);
    for (DWORD row = 0; row < kHeight; ++row)
        std::memcpy(pixels + row * kWidth + (kWidth - gradient.size()) / 2, gradient.data(), gradient.size());
}

void paint_frame(BYTE* pixels) {
    std::memset(pixels, kFrame, kWidth);
    std::memset(pixels + (kHeight - 1) * kWidth, kFrame, kWidth);
    for (DWORD row = 0; row < kHeight; ++row) pixels[row * kWidth] = pixels[row * kWidth + kWidth - 1] = kFrame;
}

unsigned long long sum_of(const BYTE* pixels) {
    unsigned long long sum = 0;
    for (DWORD i = 0; i < kSize; ++i) sum += pixels[i];
    return sum;
}

void say(const char* what, const BYTE* pixels) {
    std::printf("%s %ux%u, corner %u, sum %llu\n", what, static_cast<unsigned>(kWidth), static_cast<unsigned>(kHeight),
                *pixels, sum_of(pixels));
    std::fflush(stdout);
}

BYTE* map(HANDLE section) { return static_cast<BYTE*>(MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, kSize)); }

int finish(HANDLE section, const BYTE* pixels) {
    if (!UnmapViewOfFile(pixels)) return fail("UnmapViewOfFile");
    if (!CloseHandle(section)) return fail("CloseHandle");
    return 0;
}

int paint_and_keep() {
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, kSize, kName);
    if (section == nullptr || GetLastError() == ERROR_ALREADY_EXISTS) return fail("CreateFileMapping");
    BYTE* pixels = map(section);
    if (pixels == nullptr) return fail("MapViewOfFile");
    paint(pixels);
    say("painted", pixels);
    _getch();
    say("now", pixels);
    return finish(section, pixels);
}

int look() {
    HANDLE section = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, kName);
    if (section == nullptr) return fail("OpenFileMapping");
    BYTE* pixels = map(section);
    if (pixels == nullptr) return fail("MapViewOfFile");
    say("found", pixels);
    paint_frame(pixels);
    return finish(section, pixels);
}

}  // namespace

int main(int word_count, char** words) {
    const std::string_view role = word_count == 2 ? words[1] : "";
    if (role == "paint") return paint_and_keep();
    if (role == "look") return look();
    std::puts("usage: picture paint|look");
    return 2;
}
