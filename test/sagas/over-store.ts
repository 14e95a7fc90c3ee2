/** A store that does something else than another in some of its methods. */
import type { EventStore } from "retrace";

export function overStore(store: EventStore, replaced: Partial<EventStore>): EventStore {
  return new Proxy(store, {
    get: (target, name: keyof EventStore) => {
      const own = target[name];
      return replaced[name] ?? (typeof own === "function" ? own.bind(target) : own);
    },
  });
}
