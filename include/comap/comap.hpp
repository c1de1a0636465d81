// SPDX-License-Identifier: Apache-2.0
// Everything.
#pragma once

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <comap/context.hpp>
#include <comap/deadline.hpp>
#include <comap/error.hpp>
#include <comap/event.hpp>
#include <comap/guarded.hpp>
#include <comap/mutex.hpp>
#include <comap/queue.hpp>
#include <comap/record.hpp>
#include <comap/section.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>
#include <comap/waiting.hpp>
#include <comap/watcher.hpp>
