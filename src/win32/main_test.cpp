// SPDX-License-Identifier: Apache-2.0
#include "win32/test_children.hpp"

int main(int argc, char** argv) {
    comap::win32::test::run_role_if_asked(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
