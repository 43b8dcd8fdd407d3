// One line to ask in the page's language; Enter or Run puts it into the URL.
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Search } from "../search";

export function QueryBox({ label, q, hint }: { label: string; q: string; hint: string }) {
  const [text, setText] = useState(q);
  const navigate = useNavigate();
  useEffect(() => setText(q), [q]);
  return (
    <form
      className="query"
      onSubmit={(event) => {
        event.preventDefault();
        void navigate({ to: ".", search: (old: Search) => ({ ...old, q: text, problem: undefined }) } as never);
      }}
    >
      <input aria-label={label} value={text} placeholder={hint} spellCheck={false} onChange={(event) => setText(event.target.value)} />
      <button className="primary">Run</button>
    </form>
  );
}
