import { useEffect, useState } from 'preact/hooks'

/** `unknown`: not computed yet, or this page may not, because it came without TLS from another machine. */
export type DigestCheck = 'unknown' | 'same' | 'different'

/** Whether the digest is that of the text, as this page itself computes it: base64url SHA-256 of its UTF-8. */
export function useDigestCheck(text: string | null, digest: string | null): DigestCheck {
  const [found, setFound] = useState<{ of: string | null; digest: string }>()
  useEffect(() => {
    let isOver = false
    if (text !== null) {
      digestOf(text).then(
        computed => !isOver && computed !== undefined && setFound({ of: text, digest: computed }),
        (error: unknown) => console.error(error),
      )
    }
    return () => {
      isOver = true
    }
  }, [text])
  if (text === null || digest === null) return text === digest ? 'same' : 'different'
  if (found?.of !== text) return 'unknown'
  return found.digest === digest ? 'same' : 'different'
}

async function digestOf(text: string): Promise<string | undefined> {
  if (!isSecureContext) return undefined
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}
