// The one way the screens talk to the server: JSON over GET, errors in the server's own words.

/** An answer that was not 2xx; `message` is what the server said. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function getJson<T>(path: string, params: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const query = new URLSearchParams(params).toString();
  const response = await fetch(query ? `${path}?${query}` : path, { signal, headers: { Accept: "application/json" } });
  const body = await response.text();
  if (!response.ok) throw new ApiError(response.status, reason(body) || `the server answered ${response.status}`);
  return JSON.parse(body) as T;
}

function reason(body: string): string {
  try {
    const parsed = JSON.parse(body) as { error?: string; message?: string };
    return parsed.error ?? parsed.message ?? body;
  } catch {
    return body.trim().slice(0, 400);
  }
}
