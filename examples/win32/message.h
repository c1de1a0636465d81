/* SPDX-License-Identifier: Apache-2.0
 * What first.c and second.c agree on. */
#define MESSAGE_NAME TEXT("Global\\comap-example-message")
#define MESSAGE_SIZE 256
