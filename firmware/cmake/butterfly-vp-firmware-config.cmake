# SPDX-License-Identifier: Apache-2.0
# find_package(butterfly-vp-firmware): firmware for the virtual platform.
#
#   butterfly_vp_firmware(TARGET [MEMORY boot_ram|dram] [PRINTF integer|float|double] [STACK_BYTES N])
#
# makes an executable a program of the platform: it is compiled for its CPU and linked with boot code, HAL, driver and
# runtime into the boot RAM (the default), or into the DRAM for runs without a network. The project has the language C, and
# CXX if it uses that.
#
#   butterfly_vp_kernel(TARGET FILE.kasm [MACHINE SCENARIO] [NAME NAME])
#
# assembles a kernel for the target, whose sources include "FILE.kasm.h" for its image and the names of its launch registers.
# MACHINE: the scenario whose machine must be able to run it; NAME: what the header calls it, otherwise FILE.
#
#   butterfly_vp_network(TARGET SCENARIO [SET KEY=VALUE...])
#
# compiles a network for the target, whose sources include "network.h" for the places of its descriptor, inputs and outputs in
# the DRAM. The contents of the DRAM become a part of the program, which runs with `butterfly-vp run --bare`. The project has
# the language ASM, too.

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

# The executable of this SDK: in a build directory, or where it is installed.
macro(butterfly_vp_executable)
  find_program(BUTTERFLY_VP_EXECUTABLE butterfly-vp
               HINTS ${BUTTERFLY_VP_FIRMWARE_DIRECTORY}/../.. ${BUTTERFLY_VP_FIRMWARE_DIRECTORY}/../../../../bin REQUIRED)
endmacro()

function(butterfly_vp_kernel target source)
  cmake_parse_arguments(GIVEN "" "MACHINE;NAME" "" ${ARGN})
  if(GIVEN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "butterfly_vp_kernel(${target}): '${GIVEN_UNPARSED_ARGUMENTS}' is unknown; expected MACHINE or NAME")
  endif()
  butterfly_vp_executable()
  get_filename_component(file ${source} ABSOLUTE)
  get_filename_component(file_name ${source} NAME)
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/butterfly-vp-kernels)
  file(MAKE_DIRECTORY ${directory})
  set(options)
  if(GIVEN_MACHINE)
    list(APPEND options --machine ${GIVEN_MACHINE})
  endif()
  if(GIVEN_NAME)
    list(APPEND options --name ${GIVEN_NAME})
  endif()
  add_custom_command(
    OUTPUT ${directory}/${file_name}.h
    COMMAND ${BUTTERFLY_VP_EXECUTABLE} asm ${file} --header ${directory}/${file_name}.h ${options}
    DEPENDS ${file}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "Assembling ${file_name}"
    VERBATIM)
  target_sources(${target} PRIVATE ${directory}/${file_name}.h)
  target_include_directories(${target} PRIVATE ${directory})
endfunction()

function(butterfly_vp_network target scenario)
  cmake_parse_arguments(GIVEN "" "" "SET" ${ARGN})
  if(GIVEN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "butterfly_vp_network(${target}): '${GIVEN_UNPARSED_ARGUMENTS}' is unknown; expected SET KEY=VALUE...")
  endif()
  butterfly_vp_executable()
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${target}-network)
  set(options)
  foreach(setting ${GIVEN_SET})
    list(APPEND options --set ${setting})
  endforeach()
  # A scenario is a file, or the name of one that comes with the platform.
  set(file)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${scenario})
    set(file ${CMAKE_CURRENT_SOURCE_DIR}/${scenario})
  endif()
  set(files ${directory}/network.h ${directory}/network.S ${directory}/network.ld)
  add_custom_command(
    OUTPUT ${files} ${directory}/manifest.json
    COMMAND ${BUTTERFLY_VP_EXECUTABLE} compile ${scenario} --out ${directory} ${options}
    DEPENDS ${file}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "Compiling the network ${scenario}"
    VERBATIM)
  target_sources(${target} PRIVATE ${directory}/network.h ${directory}/network.S)
  target_include_directories(${target} PRIVATE ${directory})
  target_link_options(${target} PRIVATE -T${directory}/network.ld)
endfunction()
