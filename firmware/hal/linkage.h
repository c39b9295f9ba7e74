/* SPDX-License-Identifier: Apache-2.0 */
/* Lets C++ call functions that are compiled as C. */
#ifndef HAL_LINKAGE_H
#define HAL_LINKAGE_H

#ifdef __cplusplus
#define HAL_BEGIN_DECLARATIONS extern "C" {
#define HAL_END_DECLARATIONS }
#define HAL_NO_RETURN [[noreturn]]
#else
#define HAL_BEGIN_DECLARATIONS
#define HAL_END_DECLARATIONS
#define HAL_NO_RETURN _Noreturn
#endif

#endif
