# SPDX-License-Identifier: Apache-2.0
# What is installed: the libraries, the headers, and what CMake and pkg-config need to find them. Every path in it is relative
# to where it lies, so that the whole tree may be moved.
include(CMakePackageConfigHelpers)

option(COMAP_INSTALL "Add comap to what the install target installs" ${PROJECT_IS_TOP_LEVEL})
if(NOT COMAP_INSTALL)
    return()
endif()

install(TARGETS comap comap_static comap_win32 EXPORT comap-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/comap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES pascal/windows.pas DESTINATION ${CMAKE_INSTALL_DATADIR}/comap/pascal)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# CMake: find_package(comap) gives comap::comap, comap::static and comap::win32.
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/comap)
configure_package_config_file(packaging/comap-config.cmake.in ${PROJECT_BINARY_DIR}/comap-config.cmake
    INSTALL_DESTINATION ${package_directory} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/comap-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT comap-targets NAMESPACE comap:: DESTINATION ${package_directory})
install(FILES ${PROJECT_BINARY_DIR}/comap-config.cmake ${PROJECT_BINARY_DIR}/comap-config-version.cmake
    DESTINATION ${package_directory})

# pkg-config: comap.pc and comap-win32.pc find the prefix from their own place, unless the directories were given as absolute paths.
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(package IN ITEMS comap comap-win32)
    configure_file(packaging/${package}.pc.in ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
