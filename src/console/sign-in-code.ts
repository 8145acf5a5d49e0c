/** The code of a sign-in link, taken out of the address before anything else reads or keeps it. */
function takeCode(): string | undefined {
  const code = /^#code=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1]
  if (location.hash.startsWith('#code=')) history.replaceState(null, '', `${location.pathname}#/agents`)
  return code
}

/** The code that the page was opened with. */
export const firstCode = takeCode()

let told: ((code: string) => void) | undefined
// From the start, and so before whatever else follows the address: it never sees the code.
addEventListener('hashchange', () => {
  const code = takeCode()
  if (code !== undefined) told?.(code)
})

/** Calls `tell` with the code of each link that is opened in this tab from now on. @returns what ends that */
export function onCode(tell: (code: string) => void): () => void {
  told = tell
  return () => {
    told = undefined
  }
}
