/** Read at registration: the host checks function keys only where the app asks it to. */
export const authLevel = (): 'anonymous' | 'function' =>
  process.env.KEYWARD_AUTH === 'entra' ? 'anonymous' : 'function';
