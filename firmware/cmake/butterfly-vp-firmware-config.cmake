# SPDX-License-Identifier: Apache-2.0
# find_package(butterfly-vp-firmware): firmware for the virtual platform.
#
#   butterfly_vp_firmware(TARGET [MEMORY boot_ram|dram] [PRINTF integer|float|double] [STACK_BYTES N])
#
# makes an executable a program of the platform: it is compiled for its CPU and linked with boot code, HAL, driver and
# runtime into the boot RAM (the default), or into the DRAM for runs without a network. The project has the language C, and
# CXX if it uses that.

include(${CMAKE_CURRENT_LIST_DIR}/flags.cmake)
get_filename_component(BUTTERFLY_VP_SDK ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
set(BUTTERFLY_VP_FIRMWARE_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})

if(NOT TARGET butterfly-vp::firmware)
  add_library(butterfly-vp::firmware STATIC IMPORTED)
  set_target_properties(butterfly-vp::firmware PROPERTIES IMPORTED_LOCATION ${BUTTERFLY_VP_SDK}/lib/libbutterfly-vp.a)
  target_include_directories(butterfly-vp::firmware INTERFACE ${BUTTERFLY_VP_SDK}/include)
  target_compile_options(butterfly-vp::firmware INTERFACE ${FIRMWARE_TARGET} ${FIRMWARE_COMPILE}
                         "$<$<COMPILE_LANGUAGE:CXX>:${FIRMWARE_CXX}>")
  target_link_options(butterfly-vp::firmware INTERFACE ${FIRMWARE_TARGET} ${FIRMWARE_LINK})
endif()

function(butterfly_vp_firmware target)
  include(${BUTTERFLY_VP_FIRMWARE_DIRECTORY}/flags.cmake)
  cmake_parse_arguments(GIVEN "" "MEMORY;PRINTF;STACK_BYTES" "" ${ARGN})
  if(GIVEN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "butterfly_vp_firmware(${target}): '${GIVEN_UNPARSED_ARGUMENTS}' is unknown; expected MEMORY, PRINTF "
                        "or STACK_BYTES")
  endif()
  set(script_boot_ram link.ld)
  set(script_dram link_dram.ld)
  if(NOT GIVEN_MEMORY)
    set(GIVEN_MEMORY boot_ram)
  endif()
  if(NOT script_${GIVEN_MEMORY})
    message(FATAL_ERROR "butterfly_vp_firmware(${target}): MEMORY is '${GIVEN_MEMORY}'; expected boot_ram or dram")
  endif()
  if(NOT GIVEN_PRINTF)
    set(GIVEN_PRINTF integer)
  endif()
  if(NOT FIRMWARE_PRINTF_${GIVEN_PRINTF})
    message(FATAL_ERROR "butterfly_vp_firmware(${target}): PRINTF is '${GIVEN_PRINTF}'; expected integer, float or double")
  endif()
  target_link_libraries(${target} PRIVATE butterfly-vp::firmware)
  # The C++ compiler would link a C++ library, and there is none.
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
  target_link_options(${target} PRIVATE ${FIRMWARE_PRINTF_${GIVEN_PRINTF}} -L${BUTTERFLY_VP_SDK}/lib
                      -T${script_${GIVEN_MEMORY}})
  if(GIVEN_STACK_BYTES)
    target_link_options(${target} PRIVATE -Wl,--defsym=__stack_bytes=${GIVEN_STACK_BYTES})
  endif()
endfunction()
