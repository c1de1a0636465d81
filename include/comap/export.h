/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMAP_EXPORT_H
#define COMAP_EXPORT_H
#define COMAP_API __attribute__((visibility("default")))
#endif
