# SPDX-License-Identifier: Apache-2.0
# Toolchain file for firmware: cmake -DCMAKE_TOOLCHAIN_FILE="$(butterfly-vp sdk --toolchain)" ...
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-unknown-elf-gcc)
set(CMAKE_CXX_COMPILER riscv64-unknown-elf-g++)
set(CMAKE_ASM_COMPILER riscv64-unknown-elf-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_EXECUTABLE_SUFFIX .elf)
set(CMAKE_EXECUTABLE_SUFFIX_C .elf)
set(CMAKE_EXECUTABLE_SUFFIX_CXX .elf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# find_package(butterfly-vp-firmware) finds the SDK that this file belongs to.
set(butterfly-vp-firmware_DIR ${CMAKE_CURRENT_LIST_DIR})
