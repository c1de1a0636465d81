/* SPDX-License-Identifier: Apache-2.0 */
#include "winbase.h"
