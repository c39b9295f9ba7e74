# SPDX-License-Identifier: Apache-2.0
include(${CMAKE_CURRENT_LIST_DIR}/../../butterfly-vp/sdk/cmake/butterfly-vp-firmware-config.cmake)
