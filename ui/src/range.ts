// The time range of the current page, from the URL, and answers that follow it.
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { bounds, type Search } from "./search";

const REFRESH_MS = 5_000;

export function useRange() {
  const search = useSearch({ strict: false }) as Search;
  const { problem: _, ...kept } = search;
  return { q: search.q ?? "", search: kept, at: () => bounds(search, Date.now() / 1000) };
}

// What `fetch` answers for the range, again every few seconds while the range ends now. The range is taken when the request is
// made, not when the page was drawn: a page whose answer does not change is not drawn again.
export function useRanged<T>(name: string, query: string, fetch: (start: number, end: number, signal: AbortSignal) => Promise<T>) {
  const { at } = useRange();
  const { start, end, live } = at();
  return useQuery({
    queryKey: [name, query, end - start, live ? 0 : end],
    queryFn: ({ signal }) => {
      const now = at();
      return fetch(now.start, now.end, signal);
    },
    refetchInterval: live ? REFRESH_MS : false,
    placeholderData: (old) => old,
  });
}
