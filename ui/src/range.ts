// The time range of the current page, from the URL.
import { useSearch } from "@tanstack/react-router";
import { bounds, type Search } from "./search";

export function useRange() {
  const search = useSearch({ strict: false }) as Search;
  const { problem: _, ...kept } = search;
  return { ...bounds(search, Date.now() / 1000), q: search.q ?? "", search: kept };
}
