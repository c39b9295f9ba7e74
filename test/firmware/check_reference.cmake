# SPDX-License-Identifier: Apache-2.0
# Whether the generated pages and the schema in the tree are what bvp-codegen writes now.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
execute_process(COMMAND ${CODEGEN} docs ${WORK}/reference COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CODEGEN} schema ${WORK}/scenario.schema.json COMMAND_ERROR_IS_FATAL ANY)
file(GLOB pages RELATIVE ${WORK} ${WORK}/reference/*.md)
set(stale)
foreach(page ${pages})
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${WORK}/${page} ${ROOT}/docs/${page} RESULT_VARIABLE differs
                  ERROR_QUIET)
  if(differs)
    list(APPEND stale docs/${page})
  endif()
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${WORK}/scenario.schema.json
                        ${ROOT}/scenarios/scenario.schema.json RESULT_VARIABLE differs ERROR_QUIET)
if(differs)
  list(APPEND stale scenarios/scenario.schema.json)
endif()
if(stale)
  message(FATAL_ERROR "Not what the declarations say now, run scripts/reference: ${stale}")
endif()
