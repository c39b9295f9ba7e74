# SPDX-License-Identifier: Apache-2.0
# Flags of firmware for riscv64-unknown-elf-gcc with picolibc.

# The CSR instructions and FENCE.I have extension names of their own, for which no C library was built: linking goes without.
set(FIRMWARE_TARGET --specs=picolibc.specs -mabi=lp64 -mcmodel=medany)
set(FIRMWARE_COMPILE -march=rv64imac_zicsr_zifencei -ffreestanding -ffunction-sections -fdata-sections)
# Debian has no C++ library for this target.
set(FIRMWARE_CXX -std=c++17 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-use-cxa-atexit)
set(FIRMWARE_LINK -march=rv64imac -nostartfiles -Wl,--gc-sections)
# What printf and scanf can convert: no floating point, float, or double.
set(FIRMWARE_PRINTF_integer -DPICOLIBC_INTEGER_PRINTF_SCANF)
set(FIRMWARE_PRINTF_float -DPICOLIBC_FLOAT_PRINTF_SCANF)
set(FIRMWARE_PRINTF_double -DPICOLIBC_DOUBLE_PRINTF_SCANF)
