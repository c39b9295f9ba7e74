# SPDX-License-Identifier: Apache-2.0
# Writes the C++ file that says what the executable was built from; leaves it alone if nothing has changed.
# In: SOURCE (the source directory), OUTPUT (the file), VERSION, BUILD_TYPE, COMPILER, SYSTEM.

# git fills this in where it makes an archive of the source.
set(commit "$Format:%H$")
set(dirty false)
if(commit MATCHES "Format")
  set(commit "unknown")
endif()
find_program(GIT git)
if(GIT)
  # If the source lies inside another repository, that repository's commit is not the source's.
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --show-toplevel OUTPUT_VARIABLE top RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    file(REAL_PATH "${top}" top)
    file(REAL_PATH "${SOURCE}" source)
  endif()
  if(NOT failed AND top STREQUAL source)
    execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE head RESULT_VARIABLE failed
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT failed)
      set(commit ${head})
      execute_process(COMMAND ${GIT} -C ${SOURCE} --no-optional-locks status --porcelain --untracked-files=no
                      OUTPUT_VARIABLE changes ERROR_QUIET)
      if(changes)
        set(dirty true)
      endif()
    endif()
  endif()
endif()

set(text "// Written by scripts/build_info.cmake.
#include \"platform/cli/build_info.h\"

namespace bvp {

BuildInfo build_info() {
  return {\"${VERSION}\", \"${commit}\", ${dirty}, \"${BUILD_TYPE}\", \"${COMPILER}\", \"${SYSTEM}\"};
}

}  // namespace bvp
")
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT text STREQUAL before)
  file(WRITE "${OUTPUT}" "${text}")
endif()
